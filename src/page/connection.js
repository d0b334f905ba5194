// Flow B as the page sees it: an offer becomes a picture.
//
// One Connection is one RTCPeerConnection. It is never restarted: a lost one is
// followed by another in the same session (webrtcbin cannot restart ICE). After
// close() nothing of it is left: no timer, no request, no word to anybody.

import { request, Refused, Unreachable } from "./api.js";
import { Channel } from "./channel.js";
import { figures } from "./link.js";

const PING = "\x00PING";
const PONG = new TextEncoder().encode("\x00PONG");
/** Refusals of these kinds pass: too slow, stopped for now, too many. */
const PASSING = [408, 409, 425, 429];

/** Why a connection ended: one of words.problems, with the device's own words if it gave any. */
export class Ending {
    constructor(kind, { detail, hint, status, retryAfter_s } = {}) {
        this.kind = kind;
        this.detail = detail;
        this.hint = hint;
        this.status = status;
        this.retryAfter_s = retryAfter_s;
    }

    static of(error) {
        if (error instanceof Unreachable) return new Ending("unreachable");
        // The browser takes no such address of a server, or not the device's answer.
        if (!(error instanceof Refused)) return new Ending("unfit", { hint: error.message });
        const full = error.title === "server at capacity";
        return new Ending(full ? "capacity" : error.status === 406 ? "noCodec" : "refused", error);
    }

    /** The time that the device wants for itself. What stops an offer otherwise (409) may be over at once. */
    get after_ms() {
        return [429, 503].includes(this.status) && this.retryAfter_s ? this.retryAfter_s * 1000 : 0;
    }

    /** Whether the next attempt would end in the same way. */
    get final() {
        const { kind, status } = this;
        return kind === "noWebRtc" || (status >= 400 && status < 500 && !PASSING.includes(status));
    }
}

export class Connection {
    /** gathering, asking, checking, securing (DTLS), waiting (for the picture), live, closed. */
    phase = "gathering";
    /** The phases so far, each with its time in ms, from when the ICE servers were known. */
    path = [];
    commands = new Channel();
    #predictions = new Channel();
    #peer;
    #on;
    #ended = false;
    /** The device's name for this connection, from its answer on. */
    #connection;
    /** Addresses that were found before. */
    #found = [];
    /** Whether the browser has found an address of its own, or has looked for all. */
    #gathered = false;
    #closing = new AbortController();
    #startedAt = performance.now();

    /**
     * `on` holds the callbacks: `phase(phase)`, `answered(answer)`,
     * `track(stream, receiver)`, `heard()` when the commands channel has opened or
     * something came on it, `prediction(message)`, `command(message)`, and once,
     * last, `ended(ending)`: then it is to be closed.
     */
    constructor(on) {
        this.#on = on;
    }

    /**
     * Makes the offer. `servers()` resolves to the ICE servers; `session`: the id of
     * a session to go on with, if there is one; `camera`: a name, the first if left out.
     */
    async open({ servers, session, camera }) {
        if (typeof RTCPeerConnection === "undefined") {
            this.#end(new Ending("noWebRtc"));
            return;
        }
        try {
            const iceServers = await servers();
            if (this.#closed) return;
            this.#startedAt = performance.now();
            this.#pass("gathering");
            const peer = this.#prepare(iceServers);
            await peer.setLocalDescription();
            if (this.#closed) return;
            // The device names its own addresses, so an offer without ours connects, and
            // the picture comes a gathering earlier. Ours are named when they are known.
            this.#pass("asking");
            const answer = await this.#ask({ type: "offer", sdp: peer.localDescription.sdp, session, camera });
            if (this.#closed) return;
            this.#on.answered(answer);
            this.#connection = answer.connection;
            this.#found.splice(0).forEach((candidate) => this.#name(candidate));
            this.#pass("checking");
            await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
        } catch (error) {
            this.#end(Ending.of(error));
        }
    }

    /** Sends a command; `sent`, `waiting` for the channel, or `refused`. */
    send(message) {
        return this.commands.send(JSON.stringify(message), performance.now());
    }

    /** The first frame was shown. */
    pictured() {
        if (!this.#closed) this.#pass("live");
    }

    /** What the browser says of the link (see link.js), and what waits to be sent; undefined if it says nothing. */
    async figures() {
        if (!this.#peer || this.#closed) return undefined;
        try {
            const report = await this.#peer.getStats();
            const buffered_bytes = this.commands.bufferedAmount + this.#predictions.bufferedAmount;
            return this.#closed ? undefined : { ...figures(report), buffered_bytes };
        } catch {
            return undefined; // It was closed in between.
        }
    }

    /** States of the two channels and what they refused. */
    get channels() {
        const told = ({ state, sent, refusals }) => ({ state, sent, refusals: { ...refusals } });
        return { commands: told(this.commands), predictions: told(this.#predictions) };
    }

    /**
     * Whether the browser has not begun to look for its own addresses. Chromium (156, Linux)
     * stays so for as long as a page is loaded if the network changed while it was loading.
     */
    get stalled() {
        return this.phase === "checking" && !this.#gathered;
    }

    /** Ends the connection without a word to `ended`. */
    close() {
        if (this.#closed) return;
        this.#pass("closed");
        this.#closing.abort();
        this.#peer?.close();
    }

    get #closed() {
        return this.#closing.signal.aborted;
    }

    #ask(offer) {
        return request("POST", "/api/v1/webrtc/offer", offer, { ended: this.#closing.signal });
    }

    #prepare(iceServers) {
        const peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
        this.#peer = peer;
        peer.addTransceiver("video", { direction: "recvonly" });
        peer.ontrack = ({ track, receiver }) => {
            if (!this.#closed) this.#on.track(new MediaStream([track]), receiver);
        };
        // Where there are servers the device may be unable to reach us: its own relay lets
        // nobody in whom it does not know. Without servers it sees where we come from.
        const named = iceServers.length > 0;
        peer.onicecandidate = ({ candidate }) => {
            this.#gathered = true;
            if (named) this.#name(candidate);
        };
        peer.oniceconnectionstatechange = () => this.#follow(peer);
        peer.onconnectionstatechange = () => this.#follow(peer);
        this.#listen(peer.createDataChannel("commands"));
        // An old prediction is worth nothing: better lost than late.
        const predictions = peer.createDataChannel("predictions", { ordered: false, maxRetransmits: 0 });
        predictions.onmessage = (event) => this.#read(event.data, this.#on.prediction);
        this.#predictions = new Channel(predictions);
        return peer;
    }

    /** Names one of our addresses to the device; before the answer there is no connection to name it for. */
    #name(candidate) {
        // A host's name ends in .local, and no device waits for its resolution.
        if (this.#closed || !candidate || candidate.type === "host") return;
        if (this.#connection === undefined) {
            this.#found.push(candidate);
            return;
        }
        const { candidate: text, sdpMid, sdpMLineIndex } = candidate;
        const body = { connection: this.#connection, candidate: text, sdpMid, sdpMLineIndex };
        // Another path may do as well; if none does, ICE says so.
        request("POST", "/api/v1/webrtc/candidate", body, { ended: this.#closing.signal }).catch(() => {});
    }

    #follow(peer) {
        if (this.#closed) return;
        if (peer.connectionState === "failed" || peer.iceConnectionState === "failed") {
            this.#end(new Ending({ waiting: "lost", live: "lost", securing: "securing" }[this.phase] ?? "failed"));
        } else if (peer.connectionState === "connected") {
            if (this.phase !== "live") this.#pass("waiting");
        } else if (peer.iceConnectionState === "connected" && this.phase === "checking") {
            this.#pass("securing");
        }
    }

    #listen(channel) {
        channel.binaryType = "arraybuffer";
        this.commands = new Channel(channel);
        channel.onopen = () => {
            // The browser may have said so to itself before close().
            if (this.#closed) return;
            this.commands.opened(performance.now());
            this.#on.heard();
        };
        channel.onmessage = (event) => this.#hear(event.data);
        channel.onclose = () => this.#end(new Ending("ended"));
    }

    #hear(data) {
        if (this.#closed) return;
        this.#on.heard();
        if (typeof data === "string") {
            this.#read(data, this.#on.command);
        } else if (new TextDecoder().decode(data) === PING) {
            this.commands.send(PONG, performance.now());
        }
    }

    #read(text, receive) {
        if (this.#closed) return;
        let message;
        try {
            message = JSON.parse(text);
        } catch {
            return; // A later version may speak otherwise; what is understood goes on.
        }
        if (typeof message?.type === "string") receive(message);
    }

    #pass(phase) {
        if (phase === this.phase && this.path.length > 0) return;
        this.phase = phase;
        this.path.push({ phase, at_ms: Math.round(performance.now() - this.#startedAt) });
        if (phase !== "closed") this.#on.phase(phase);
    }

    /** It is not closed yet: a closed connection's video turns black (Chromium), and its last frame is wanted. */
    #end(ending) {
        if (this.#closed || this.#ended) return;
        this.#ended = true;
        this.#on.ended(ending);
    }
}
