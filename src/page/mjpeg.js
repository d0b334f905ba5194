// The picture where WebRTC cannot pass: single JPEGs over HTTP, drawn as they come.

import { make } from "./dom.js";
import { WAITS_MS } from "./ladder.js";
import { Parts } from "./parts.js";
import { words } from "./words.js";

/** The device sends ten a second, and a picture in the camera's place where it is away. */
const SILENCE_LIMIT_MS = 10_000;

export class Stream {
    canvas = make("canvas", { id: "stills", role: "img", "aria-label": words.video });
    #on;
    #ending;
    #failures = 0;

    /**
     * `on` holds the callbacks: `picture(width, height, bytes)`, `broken(why)` when no more
     * come (it tries again by itself), and `unauthorised()`.
     */
    constructor(on) {
        this.#on = on;
    }

    get running() {
        return this.#ending !== undefined;
    }

    /** Shows this camera's pictures in `stage` until it is stopped. */
    start(stage, camera) {
        this.stop();
        this.#failures = 0;
        this.#ending = new AbortController();
        stage.prepend(this.canvas);
        this.#run(`/api/v1/stream.mjpeg${camera ? `?camera=${encodeURIComponent(camera)}` : ""}`, this.#ending.signal);
    }

    stop() {
        this.#ending?.abort();
        this.#ending = undefined;
        this.canvas.remove();
    }

    async #run(path, ended) {
        while (!ended.aborted) {
            const why = await this.#read(path, ended);
            if (ended.aborted) return;
            this.#on.broken(why);
            const wait_ms = WAITS_MS[Math.min(this.#failures, WAITS_MS.length - 1)];
            this.#failures += 1;
            await new Promise((resolve) => setTimeout(resolve, wait_ms));
        }
    }

    /** Shows pictures until no more come; resolves to the reason. */
    async #read(path, ended) {
        const silence = new AbortController();
        let timer;
        const heard = () => {
            clearTimeout(timer);
            timer = setTimeout(() => silence.abort(), SILENCE_LIMIT_MS);
        };
        heard();
        try {
            const response = await fetch(path, { cache: "no-store", signal: AbortSignal.any([ended, silence.signal]) });
            if (response.status === 401) this.#on.unauthorised();
            if (!response.ok) return words.mjpegRefused(await reasonOf(response));
            const parts = new Parts();
            for (const reader = response.body.getReader(); ; ) {
                const { done, value } = await reader.read();
                if (done) break;
                for (const picture of parts.feed(value)) {
                    heard();
                    await this.#show(picture, ended);
                }
            }
        } catch {
            // The connection broke, was silent, or has been ended.
        } finally {
            clearTimeout(timer);
            silence.abort();
        }
        return words.mjpegEnded;
    }

    async #show(picture, ended) {
        const bitmap = await createImageBitmap(new Blob([picture], { type: "image/jpeg" }));
        const { width, height } = bitmap;
        if (this.canvas.width !== width) this.canvas.width = width;
        if (this.canvas.height !== height) this.canvas.height = height;
        this.canvas.getContext("2d").drawImage(bitmap, 0, 0);
        bitmap.close();
        this.#failures = 0;
        if (!ended.aborted) this.#on.picture(width, height, picture.length);
    }
}

async function reasonOf(response) {
    try {
        const { detail, title } = await response.json();
        return detail ?? title;
    } catch {
        return `HTTP ${response.status}`;
    }
}
