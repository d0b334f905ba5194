// The picture of one connection, in a video element of its own, so that the last
// connection's picture stays until this one has a frame to show.

import { InStep } from "./instep.js";
import { words } from "./words.js";

/** Frames kept for the tests and for the figures. */
const RECENT_FRAMES = 240;

export class Picture {
    /** This connection's RTP time has nothing to do with another's, so neither have its predictions. */
    steps = new InStep();
    rtpTimestamps = [];
    /** The browser does not play it by itself: it wants a person to ask for it. */
    refused = false;
    video = document.createElement("video");
    #receiver;
    #onFrame;
    #onRefused;
    #removed = false;

    /**
     * Puts the video under whatever is in `stage` already. `onFrame(picture, now,
     * frame)` is called for every frame that the browser shows, with what
     * requestVideoFrameCallback says of it; without a frame where the browser only
     * says that the picture plays. `onRefused()`: `refused` has changed.
     */
    constructor(stage, stream, receiver, { onFrame, onRefused }) {
        this.#receiver = receiver;
        this.#onFrame = onFrame;
        this.#onRefused = onRefused;
        Object.assign(this.video, { autoplay: true, muted: true, playsInline: true, srcObject: stream });
        this.video.setAttribute("aria-label", words.video);
        stage.prepend(this.video);
        if ("requestVideoFrameCallback" in HTMLVideoElement.prototype) {
            this.#nextFrame();
        } else {
            this.video.addEventListener("playing", () => onFrame(this, performance.now()));
        }
        this.play();
    }

    /** Only a promise tells whether the browser lets a picture play; in a person's click it does. */
    async play() {
        let refused = false;
        try {
            await this.video.play();
        } catch (error) {
            // Anything else means that it was removed, or that the browser tries on.
            refused = error.name === "NotAllowedError";
        }
        if (this.#removed || refused === this.refused) return;
        this.refused = refused;
        this.#onRefused();
    }

    /** Asks for the playout delay that is needed now. Returns it, or undefined where there is none to ask for. */
    hold() {
        if (!("jitterBufferTarget" in this.#receiver)) return undefined;
        const wanted = this.framesAreNamed ? this.steps.delay_ms : this.steps.floor_ms;
        if (this.#receiver.jitterBufferTarget !== wanted) this.#receiver.jitterBufferTarget = wanted;
        return wanted;
    }

    /** Some browsers have the callback but leave the RTP time out. */
    get framesAreNamed() {
        return this.rtpTimestamps.length > 0;
    }

    remove() {
        this.#removed = true;
        this.video.srcObject = null;
        this.video.remove();
    }

    #nextFrame() {
        this.video.requestVideoFrameCallback((now, frame) => {
            if (this.#removed) return;
            this.#nextFrame();
            if (frame.rtpTimestamp !== undefined) this.rtpTimestamps.push(frame.rtpTimestamp);
            if (this.rtpTimestamps.length > RECENT_FRAMES) this.rtpTimestamps.shift();
            this.#onFrame(this, now, frame);
        });
    }
}
