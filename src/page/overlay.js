// The canvas over the picture: hands drawn on exactly the frame they were found in.

import { STALE_MS } from "./instep.js";

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
/** Where the picture lies in a box that shows it whole. */
export function pictureIn(box, picture) {
    const scale = Math.min(box.width / picture.width, box.height / picture.height) || 0;
    const width = picture.width * scale;
    const height = picture.height * scale;
    return { x: (box.width - width) / 2, y: (box.height - height) / 2, width, height };
}

export class Overlay {
    /** What has been shown: for the details and the tests. */
    shown = { frames: 0, drawn: 0, age_ms: undefined };
    #canvas;
    #picture;
    #lowestLatency = false;
    #visible = true;
    /** Looks once more when the last prediction has become stale. */
    #last;

    constructor(canvas) {
        this.#canvas = canvas;
        new ResizeObserver(() => this.#fit()).observe(canvas);
    }

    get counts() {
        return this.#picture?.steps.counts;
    }

    /** The picture that is drawn on, if there is one yet. */
    get picture() {
        return this.#picture;
    }

    /** From now on this picture is the one that is seen; the last one goes. */
    show(picture) {
        if (picture === this.#picture) return;
        this.#picture?.remove();
        this.#picture = picture;
        picture.video.id = "video";
        picture.steps.holding = !this.#lowestLatency;
        this.#draw(undefined);
    }

    /** The picture goes, and what is drawn on it. */
    forget() {
        this.#picture?.remove();
        this.#picture = undefined;
        this.#draw(undefined);
    }

    set lowestLatency(on) {
        this.#lowestLatency = on;
        if (!this.#picture) return;
        this.#picture.steps.holding = !on;
        this.#picture.hold();
    }

    set visible(on) {
        this.#visible = on;
        if (!on) this.#draw(undefined);
    }

    /** A prediction for the frames of `picture`: it names none of another connection's. */
    prediction(picture, message) {
        const now = performance.now();
        picture.steps.arrive(message, now);
        picture.hold();
        if (picture !== this.#picture || this.inStep) return;
        this.#draw(picture.steps.newest(now));
        // Where no frame says when to look again, the last hand would stay.
        clearTimeout(this.#last);
        this.#last = setTimeout(() => {
            if (!this.inStep) this.#draw(this.#picture?.steps.newest(performance.now()));
        }, STALE_MS + 1);
    }

    /** The playout delay of the picture that is seen, where the browser lets us ask for one. */
    hold() {
        return this.#picture?.hold();
    }

    /** Whether predictions are drawn on their own frames. */
    get inStep() {
        return !this.#lowestLatency && Boolean(this.#picture?.framesAreNamed);
    }

    /** The picture that is seen shows a frame, in the words of requestVideoFrameCallback. */
    frame({ rtpTimestamp }) {
        this.shown.frames += 1;
        if (rtpTimestamp === undefined) return;
        const { steps } = this.#picture;
        const own = steps.show(rtpTimestamp, performance.now());
        this.#draw(this.inStep ? own : steps.newest(performance.now()));
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
        const { videoWidth: width, videoHeight: height } = this.#picture.video;
        const picture = pictureIn(this.#canvas, { width, height });
        const { hands, boxes = [] } = step.prediction;
        for (const hand of hands) drawHand(context, hand, picture);
        for (const box of boxes) drawBox(context, box, picture);
        this.shown.drawn += hands.length + boxes.length > 0 ? 1 : 0;
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

function drawBox(context, { label, box: [left, top, right, bottom] }, picture) {
    const x = picture.x + left * picture.width;
    const y = picture.y + top * picture.height;
    const width = (right - left) * picture.width;
    const height = (bottom - top) * picture.height;
    const unit = Math.max(1.5, picture.width / 420);
    for (const [style, line] of [[SHADE, 3 * unit], [COLOURS.right, 1.3 * unit]]) {
        context.strokeStyle = style;
        context.lineWidth = line;
        context.strokeRect(x, y, width, height);
    }
    const size = Math.max(13 * devicePixelRatio, 6 * unit);
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textBaseline = "bottom";
    // Above the box, or inside where the picture ends; and moved to the left where it ends there.
    const foot = y - picture.y > 1.4 * size ? y : y + 1.4 * size;
    const wide = context.measureText(label).width + size;
    const start = Math.max(picture.x, Math.min(x - 1.5 * unit, picture.x + picture.width - wide));
    context.fillStyle = SHADE;
    context.fillRect(start, foot - 1.4 * size, wide, 1.4 * size);
    context.fillStyle = "#ffffff";
    context.fillText(label, start + 0.5 * size, foot - 0.1 * size);
}
