// The chip in words, and the details in figures.

import { at, put } from "./dom.js";
import { Rate } from "./rate.js";
import { words } from "./words.js";

/** Smooths over about twenty values. */
function smooth(before, value) {
    if (!Number.isFinite(value)) return before;
    return before === undefined ? value : before + (value - before) / 20;
}

export class Status {
    #frames = new Rate();
    #results = new Rate();
    /** Of single pictures. */
    #bytes = new Rate();
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
    /** Whether single pictures are shown (mjpeg.js). */
    mjpeg = false;

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

    /** A single picture is shown. */
    still(now, bytes) {
        this.#frames.count(now);
        this.#bytes.count(now, bytes);
    }

    /** The picture comes in another way: what was counted does not count any more. */
    restart() {
        [this.#frames, this.#results, this.#bytes] = [new Rate(), new Rate(), new Rate()];
        this.#held_ms = undefined;
        this.link = undefined;
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
        const video = live && !this.mjpeg;
        const camera = this.#camera ?? {};
        tell("source", camera.source);
        tell("picture", camera.width && words.size(camera.width, camera.height));
        tell("encoder", [camera.encoder, camera.encoder_reason].filter(Boolean).join(": "));
        tell("shown", live && words.framesShown(figures.fps));
        tell("recognition", this.#recognitionInWords(live, figures));
        tell("result-time", video && inMilliseconds(figures.capture_to_result_ms));
        tell("picture-delay", video && inMilliseconds(figures.held_ms));
        tell("overlay", video && overlay);
        tell("connection", this.mjpeg ? words.mjpeg : (words.phases[this.connection?.phase] ?? words.noConnection));
        this.#showLink(video);
        tell("rendition", video && this.#renditionInWords());
        this.#showChip();
        this.#showRemark();
    }

    #showLink(video) {
        const { pair } = this;
        tell("path", video && pair && words.path(pair.local, pair.remote, pair.protocol));
        tell("network", video && this.link && words.linkFigures(this.link));
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
        const rate = live && !this.mjpeg && words.resultsASecond(results_per_s, dropped);
        return degraded ? words.recognitionDegraded(rate, degraded) : rate;
    }

    /** Why signs are fewer or worse than they should be, where it is seen without opening anything. */
    #showRemark() {
        const { state, reason, degraded } = this.#recognition ?? {};
        const failed = state === "failed" && words.recognitionFailed(reason);
        const remark = failed || degraded || (this.mjpeg && words.noCaptions) || "";
        put(at("remark"), remark);
        at("remark").hidden = remark === "";
    }

    #showChip() {
        const chip = at("chip");
        const failed = this.#camera?.state === "failed" || this.#camera?.state === "stopped";
        const state = this.#phase !== "ended" && failed ? "failed" : this.#phase;
        chip.dataset.state = state;
        put(at("chip-text"), {
            connecting: words.chipConnecting,
            waiting: words.chipWaiting,
            reconnecting: words.chipReconnecting,
            ended: words.chipEnded,
            failed: words.chipNoPicture,
        }[state] ?? this.#camera?.source ?? words.pageLive);
        this.#showFigures(state === "live" ? this.#chipFigures(performance.now()) : []);
    }

    /** Each a text; what is not known yet is left out. */
    #chipFigures(now) {
        const fps = this.#frames.perSecond(now);
        const late_ms = this.#held_ms !== undefined && this.link?.roundTrip_ms !== undefined && this.#held_ms + this.link.roundTrip_ms / 2;
        const kbps = this.mjpeg ? (this.#bytes.perSecond(now) * 8) / 1000 : this.link?.bitrate_kbps;
        const form = !this.mjpeg && this.rendition && (words.renditions[this.rendition.current] ?? this.rendition.current);
        return [
            fps > 0 && words.framesASecond(fps),
            !this.mjpeg && late_ms !== false && words.delayFigures(late_ms),
            kbps > 0 && words.megabits(kbps),
            this.mjpeg ? words.mjpeg : transportOf(this.pair),
            form,
            !this.mjpeg && this.#camera?.encoder,
        ].filter(Boolean);
    }

    /** One element for each, so that a narrow chip breaks between them. */
    #showFigures(figures) {
        const list = at("chip-figures");
        while (list.children.length > figures.length) list.lastChild.remove();
        while (list.children.length < figures.length) list.append(document.createElement("span"));
        figures.forEach((figure, i) => put(list.children[i], figure));
    }
}

/** UDP, TCP, or a relay over one of them. */
function transportOf(pair) {
    const protocol = pair?.protocol?.toUpperCase();
    return pair && (pair.local === "relay" || pair.remote === "relay") ? words.relayed(protocol ?? "?") : protocol;
}

function inMilliseconds(ms) {
    return ms !== undefined && words.milliseconds(ms);
}

function tell(name, text) {
    put(at(`detail-${name}`), text || words.unknown);
}
