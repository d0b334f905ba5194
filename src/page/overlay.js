// The canvas over the picture: hands drawn on exactly the frame they were found in.

import { InStep, STALE_MS } from "./instep.js";

/** The 21 points of a hand, finger by finger from the palm outwards. */
const BONES = [
    [0, 1, 2, 3, 4],
    [0, 5, 6, 7, 8],
    [9, 10, 11, 12],
    [13, 14, 15, 16],
    [0, 17, 18, 19, 20],
    [5, 9, 13, 17],
];
const TIPS = new Set([4, 8, 12, 16, 20]);
const COLOURS = { right: "#3df0d2", left: "#ffd166" };
const SHADE = "rgba(4, 20, 24, 0.72)";
/** Frames kept for the tests and for the figures. */
const RECENT_FRAMES = 240;

/** Where the picture lies in a box that shows it whole. */
export function pictureIn(box, picture) {
    const scale = Math.min(box.width / picture.width, box.height / picture.height) || 0;
    const width = picture.width * scale;
    const height = picture.height * scale;
    return { x: (box.width - width) / 2, y: (box.height - height) / 2, width, height };
}

export class Overlay {
    /** What has been shown: for the details and the tests. */
    shown = { frames: 0, rtpTimestamps: [], drawn: 0, age_ms: undefined };
    #video;
    #canvas;
    #receiver;
    #onFrame;
    #steps = new InStep();
    #lowestLatency = false;
    #visible = true;
    /** Looks once more when the last prediction has become stale. */
    #last;

    /**
     * `onFrame(now, held_ms)` is called for every frame that the browser shows;
     * `held_ms`: from its last packet to its display, where the browser says so.
     */
    constructor(video, canvas, onFrame) {
        this.#video = video;
        this.#canvas = canvas;
        this.#onFrame = onFrame;
        new ResizeObserver(() => this.#fit()).observe(canvas);
        if ("requestVideoFrameCallback" in HTMLVideoElement.prototype) {
            this.#nextFrame();
        } else {
            video.addEventListener("playing", () => onFrame(performance.now()));
        }
    }

    get counts() {
        return this.#steps.counts;
    }

    /** A new connection's RTP time has nothing to do with the last one's. */
    attach(stream, receiver) {
        this.#steps = new InStep();
        this.#steps.holding = !this.#lowestLatency;
        this.shown.rtpTimestamps = [];
        this.#receiver = receiver;
        this.#video.srcObject = stream;
    }

    set lowestLatency(on) {
        this.#lowestLatency = on;
        this.#steps.holding = !on;
        this.hold();
    }

    set visible(on) {
        this.#visible = on;
        if (!on) this.#draw(undefined);
    }

    prediction(message) {
        const now = performance.now();
        this.#steps.arrive(message, now);
        this.hold();
        if (this.inStep) return;
        this.#draw(this.#steps.newest(now));
        // Where no frame says when to look again, the last hand would stay.
        clearTimeout(this.#last);
        this.#last = setTimeout(() => {
            if (!this.inStep) this.#draw(this.#steps.newest(performance.now()));
        }, STALE_MS + 1);
    }

    /** Asks for the playout delay that is needed now. Returns it, or undefined where there is none to ask for. */
    hold() {
        if (!this.#receiver || !("jitterBufferTarget" in this.#receiver)) return undefined;
        const wanted = this.#framesAreNamed ? this.#steps.delay_ms : 0;
        if (this.#receiver.jitterBufferTarget !== wanted) this.#receiver.jitterBufferTarget = wanted;
        return wanted;
    }

    /** Whether predictions are drawn on their own frames. */
    get inStep() {
        return !this.#lowestLatency && this.#framesAreNamed;
    }

    /** Some browsers have the callback but leave the RTP time out. */
    get #framesAreNamed() {
        return this.shown.rtpTimestamps.length > 0;
    }

    #nextFrame() {
        this.#video.requestVideoFrameCallback((now, frame) => {
            this.#nextFrame();
            this.#frame(now, frame);
        });
    }

    #frame(now, frame) {
        this.shown.frames += 1;
        if (frame.rtpTimestamp !== undefined) {
            this.shown.rtpTimestamps.push(frame.rtpTimestamp);
            if (this.shown.rtpTimestamps.length > RECENT_FRAMES) this.shown.rtpTimestamps.shift();
            const own = this.#steps.show(frame.rtpTimestamp, performance.now());
            this.#draw(this.inStep ? own : this.#steps.newest(performance.now()));
        }
        this.#onFrame(now, frame.receiveTime && frame.expectedDisplayTime - frame.receiveTime);
    }

    #fit() {
        const { clientWidth, clientHeight } = this.#canvas;
        this.#canvas.width = Math.round(clientWidth * devicePixelRatio);
        this.#canvas.height = Math.round(clientHeight * devicePixelRatio);
    }

    #draw(step) {
        const context = this.#canvas.getContext("2d");
        context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
        this.shown.age_ms = step?.age_ms;
        if (!step || !this.#visible) return;
        const picture = pictureIn(this.#canvas, { width: this.#video.videoWidth, height: this.#video.videoHeight });
        for (const hand of step.prediction.hands) drawHand(context, hand, picture);
        this.shown.drawn += step.prediction.hands.length > 0 ? 1 : 0;
    }
}

function drawHand(context, hand, picture) {
    const points = hand.landmarks.map(([x, y]) => [picture.x + x * picture.width, picture.y + y * picture.height]);
    const unit = Math.max(1.5, picture.width / 420);
    const colour = COLOURS[hand.handedness] ?? COLOURS.right;
    context.lineCap = "round";
    context.lineJoin = "round";
    // Light on dark, so that it stands out from any picture.
    for (const [style, width] of [[SHADE, 3 * unit], [colour, 1.3 * unit]]) {
        context.strokeStyle = style;
        context.lineWidth = width;
        context.beginPath();
        for (const [first, ...rest] of BONES) {
            context.moveTo(...points[first]);
            for (const index of rest) context.lineTo(...points[index]);
        }
        context.stroke();
    }
    points.forEach(([x, y], index) => {
        const radius = (TIPS.has(index) ? 2.3 : 1.6) * unit;
        context.beginPath();
        context.arc(x, y, radius + 0.7 * unit, 0, 2 * Math.PI);
        context.fillStyle = SHADE;
        context.fill();
        context.beginPath();
        context.arc(x, y, radius, 0, 2 * Math.PI);
        context.fillStyle = TIPS.has(index) ? "#ffffff" : colour;
        context.fill();
    });
}
