// The chip in words, and the details in figures.

import { words } from "./words.js";

/** Figures are means over this time, so that they can be read. */
const WINDOW_MS = 2000;

/** Events a second over the last two seconds. */
class Rate {
    #times = [];

    count(now) {
        this.#times.push(now);
        this.#forget(now);
    }

    perSecond(now) {
        this.#forget(now);
        return (this.#times.length * 1000) / WINDOW_MS;
    }

    #forget(now) {
        while (this.#times[0] < now - WINDOW_MS) this.#times.shift();
    }
}

/** Smooths over about twenty values. */
function smooth(before, value) {
    if (!Number.isFinite(value)) return before;
    return before === undefined ? value : before + (value - before) / 20;
}

export class Status {
    #frames = new Rate();
    #results = new Rate();
    #camera;
    #recognition;
    #captureToResult_ms;
    #held_ms;
    #dropped = 0;
    #phase = "connecting";
    /** The connection of this moment, or the attempt at one. */
    connection;
    /** What happened on the link in the last seconds (`between` of link.js). */
    link;
    /** The pair of addresses that is in use (link.js). */
    pair;
    /** What the device said last of the rendition that the shown connection gets. */
    rendition;

    /** `phase`: connecting, waiting, live, reconnecting or ended. */
    set phase(phase) {
        this.#phase = phase;
        this.#showChip();
    }

    get phase() {
        return this.#phase;
    }

    /** What the device says of the camera that is shown. */
    set camera(camera) {
        this.#camera = camera;
        this.#showChip();
    }

    /** What the device says of its recognition. */
    set recognition(recognition) {
        this.#recognition = recognition;
    }

    frame(now, held_ms) {
        this.#frames.count(now);
        this.#held_ms = smooth(this.#held_ms, held_ms);
    }

    prediction(now, message) {
        this.#results.count(now);
        this.#dropped = message.dropped;
        this.#captureToResult_ms = smooth(this.#captureToResult_ms, message.timing_ms?.capture_to_result);
    }

    /** Figures of this moment, for the page and for the tests. */
    figures(now) {
        return {
            fps: this.#frames.perSecond(now),
            results_per_s: this.#results.perSecond(now),
            capture_to_result_ms: this.#captureToResult_ms,
            held_ms: this.#held_ms,
            dropped: this.#dropped,
        };
    }

    /** Once a second. `overlay`: how far the landmarks are from their frame, in words. */
    show(now, overlay) {
        const figures = this.figures(now);
        const live = this.#phase === "live";
        const camera = this.#camera ?? {};
        put("source", camera.source);
        put("picture", camera.width && words.size(camera.width, camera.height));
        put("encoder", [camera.encoder, camera.encoder_reason].filter(Boolean).join(": "));
        put("shown", live && words.framesShown(figures.fps));
        put("recognition", this.#recognitionInWords(live, figures));
        put("result-time", live && inMilliseconds(figures.capture_to_result_ms));
        put("picture-delay", live && inMilliseconds(figures.held_ms));
        put("overlay", live && overlay);
        put("connection", words.phases[this.connection?.phase] ?? words.noConnection);
        this.#showLink(live);
        put("rendition", live && this.#renditionInWords());
        this.#showChip();
    }

    #showLink(live) {
        const { pair } = this;
        put("path", live && pair && words.path(pair.local, pair.remote, pair.protocol));
        put("network", live && this.link && words.linkFigures(this.link));
    }

    #renditionInWords() {
        if (!this.rendition) return undefined;
        const { current, reason, width, height, framerate } = this.rendition;
        const name = words.renditionBecause(words.renditions[current] ?? current, words.renditionReasons[reason]);
        const size = width && height && words.size(width, height);
        return [name, size, framerate && words.framesASecond(framerate)].filter(Boolean).join(", ");
    }

    #recognitionInWords(live, { results_per_s, dropped }) {
        const { state, reason, degraded } = this.#recognition ?? {};
        if (state === "failed") return words.recognitionFailed(reason);
        if (state === "starting") return words.recognitionStarts;
        const rate = live && words.resultsASecond(results_per_s, dropped);
        return degraded ? words.recognitionDegraded(rate, degraded) : rate;
    }

    #pictureInWords() {
        const smaller = this.rendition?.current === "low" && words.renditions.low;
        return [this.#camera?.source ?? words.pageLive, smaller].filter(Boolean).join(", ");
    }

    #showChip() {
        const chip = document.getElementById("chip");
        const failed = this.#camera?.state === "failed" || this.#camera?.state === "stopped";
        const state = this.#phase !== "ended" && failed ? "failed" : this.#phase;
        chip.dataset.state = state;
        const text = document.getElementById("chip-text");
        const said = {
            connecting: words.chipConnecting,
            waiting: words.chipWaiting,
            reconnecting: words.chipReconnecting,
            ended: words.chipEnded,
            failed: words.chipNoPicture,
        }[state] ?? this.#pictureInWords();
        if (text.textContent !== said) text.textContent = said;
        const fps = this.#frames.perSecond(performance.now());
        chip.dataset.fps = state === "live" && fps > 0 ? words.framesASecond(fps) : "";
    }
}

function inMilliseconds(ms) {
    return ms !== undefined && words.milliseconds(ms);
}

function put(name, text) {
    const element = document.getElementById(`detail-${name}`);
    const said = text || words.unknown;
    if (element.textContent !== said) element.textContent = said;
}
