// What the device says of itself, asked again and again.

import { Refused, request } from "./api.js";

/** The device counts whole seconds: the same absence has the same beginning. */
const SAME_MS = 5000;

export class Device {
    /** Of the camera that is shown, of all, and of recognition, as GET /api/v1/status tells them. */
    camera;
    cameras = [];
    recognition;
    /** Since when the camera has no picture, by this browser's clock. */
    awaySince;
    #wanted;
    #on;
    #asking;

    /** `on.status(answer, was)`: with the state that the camera had before; `on.unauthorised()`. */
    constructor(on) {
        this.#on = on;
    }

    /** The camera that is shown, by its name; the first if there is none of this name. */
    set wanted(name) {
        this.#wanted = name;
        this.#choose();
    }

    /** Asked for at regular times, and when the picture stands still; once at a time. */
    ask() {
        this.#asking ??= this.#read().finally(() => (this.#asking = undefined));
        return this.#asking;
    }

    /** Starts the camera; throws what `request` does. A status that was asked for before may say what was. */
    async start() {
        const { name } = this.camera;
        const { state } = await request("POST", "/api/v1/liveview/start", { protocol: "webrtc", camera: name });
        await this.#asking;
        this.camera = { ...this.camera, state };
    }

    async #read() {
        try {
            const answer = await request("GET", "/api/v1/status");
            const was = this.camera?.state;
            this.cameras = answer.cameras ?? [];
            this.recognition = answer.recognition;
            this.#choose();
            this.#on.status(answer, was);
        } catch (error) {
            if (error instanceof Refused && error.status === 401) this.#on.unauthorised();
            // Otherwise the connection itself will tell.
        }
    }

    #choose() {
        this.camera = this.cameras.find(({ name }) => name === this.#wanted) ?? this.cameras[0];
        const { away_s } = this.camera ?? {};
        if (away_s === undefined) {
            this.awaySince = undefined;
            return;
        }
        const began = Date.now() - away_s * 1000;
        if (!(Math.abs(began - this.awaySince) < SAME_MS)) this.awaySince = began;
    }
}
