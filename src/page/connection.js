// Flow B as the page sees it: an offer becomes a picture.
//
// One Connection is one RTCPeerConnection. It is never restarted: a lost one is
// ended, and a new one is made in the same session (webrtcbin cannot restart ICE).

import { request, Refused, Unreachable } from "./api.js";

/** A relay that has not answered by then is not there. */
const GATHERING_LIMIT_MS = 5000;
/** Three of the server's keepalives, which come every 5 s. */
const SILENCE_LIMIT_MS = 15000;
const PING = "\x00PING";
const PONG = new TextEncoder().encode("\x00PONG");

/** Why a connection ended: one of words.problems, with the device's own words if it gave any. */
export class Ending {
    constructor(kind, { detail, hint, status } = {}) {
        this.kind = kind;
        this.detail = detail;
        this.hint = hint;
        this.status = status;
    }

    static of(error) {
        if (error instanceof Unreachable) return new Ending("unreachable");
        if (!(error instanceof Refused)) return new Ending("refused", { detail: error.message });
        const full = error.title === "server at capacity";
        return new Ending(full ? "capacity" : error.status === 406 ? "noCodec" : "refused", error);
    }
}

export class Connection {
    #peer;
    #commands;
    #on;
    #ended = false;
    #heardAt;
    #watch;

    /**
     * `on` holds the callbacks: `answered(answer)`, `track(stream, receiver)`,
     * `prediction(message)`, `command(message)`, and once, last, `ended(ending)`.
     */
    constructor(on) {
        this.#on = on;
    }

    /** Makes the offer. `session`: the id of a session to go on with, if there is one. */
    async open({ iceServers, session }) {
        if (typeof RTCPeerConnection === "undefined") {
            this.#end(new Ending("noWebRtc"));
            return;
        }
        try {
            const peer = this.#prepare(iceServers);
            await peer.setLocalDescription();
            // The device names its own addresses, so an offer without ours connects,
            // and the picture comes a gathering earlier. Only a relay must be named:
            // the device's own relay lets nobody in whom it does not know.
            if (iceServers.some(isRelay)) await relayGathered(peer);
            const { sdp } = peer.localDescription;
            const answer = await request("POST", "/api/v1/webrtc/offer", { type: "offer", sdp, session });
            if (this.#ended) return;
            this.#on.answered(answer);
            await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
        } catch (error) {
            this.#end(Ending.of(error));
        }
    }

    /** Sends a command; false if the channel is not open. */
    send(message) {
        if (this.#commands?.readyState !== "open") return false;
        this.#commands.send(JSON.stringify(message));
        return true;
    }

    /** Ends the connection without a word to `ended`. */
    close() {
        this.#ended = true;
        clearInterval(this.#watch);
        this.#peer?.close();
    }

    #prepare(iceServers) {
        const peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
        this.#peer = peer;
        peer.addTransceiver("video", { direction: "recvonly" });
        peer.ontrack = (event) => this.#on.track(new MediaStream([event.track]), event.receiver);
        peer.onconnectionstatechange = () => {
            if (peer.connectionState === "failed") {
                this.#end(new Ending(this.#heardAt === undefined ? "failed" : "lost"));
            }
        };
        this.#commands = peer.createDataChannel("commands");
        this.#commands.binaryType = "arraybuffer";
        this.#commands.onopen = () => this.#listen();
        this.#commands.onmessage = (event) => this.#hear(event.data);
        this.#commands.onclose = () => this.#end(new Ending("ended"));
        // An old prediction is worth nothing: better lost than late.
        const predictions = peer.createDataChannel("predictions", { ordered: false, maxRetransmits: 0 });
        predictions.onmessage = (event) => this.#read(event.data, this.#on.prediction);
        return peer;
    }

    #listen() {
        this.#heardAt = performance.now();
        this.#watch = setInterval(() => {
            if (performance.now() - this.#heardAt > SILENCE_LIMIT_MS) this.#end(new Ending("lost"));
        }, 1000);
    }

    #hear(data) {
        this.#heardAt = performance.now();
        if (typeof data === "string") {
            this.#read(data, this.#on.command);
        } else if (new TextDecoder().decode(data) === PING) {
            this.#commands.send(PONG);
        }
    }

    #read(text, receive) {
        let message;
        try {
            message = JSON.parse(text);
        } catch {
            return; // A later version may speak otherwise; what is understood goes on.
        }
        receive(message);
    }

    #end(ending) {
        if (this.#ended) return;
        this.close();
        this.#on.ended(ending);
    }
}

function isRelay({ urls }) {
    return [urls].flat().some((url) => url.startsWith("turn"));
}

function relayGathered(peer) {
    return new Promise((resolve) => {
        const limit = setTimeout(resolve, GATHERING_LIMIT_MS);
        peer.addEventListener("icecandidate", ({ candidate }) => {
            if (candidate !== null && candidate.type !== "relay") return;
            clearTimeout(limit);
            resolve();
        });
    });
}
