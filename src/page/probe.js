// A connection that is made to be looked at: each of its states is told with its time.

import { request } from "./api.js";
import { Channel } from "./channel.js";

const PING = "\x00PING";
const PONG = new TextEncoder().encode("\x00PONG");
/** A timeline of more says nothing to a person. */
const KEPT_STATES = 64;

/** What can be waited for; each comes once. */
export const MARKS = ["answered", "path", "secured", "picture", "channel", "prediction"];

export class Probe {
    /** `{ at_ms, what, state }` since the beginning; `what` is gathering, ice, dtls, peer, commands, predictions or picture. */
    timeline = [];
    /** When each of MARKS came, in ms since the beginning. */
    marks = {};
    peer;
    #on;
    #begin = performance.now();
    #closing = new AbortController();
    #video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
    #commands = new Channel();
    #echoes = new Map();

    /** `on.changed()`: something was added. */
    constructor({ changed = () => {} } = {}) {
        this.#on = { changed };
    }

    /** Makes the connection; rejects where the device refuses it or the browser cannot. */
    async open(camera) {
        const { iceServers } = await request("GET", "/api/v1/ice-servers");
        this.#begin = performance.now();
        const peer = this.#prepare(iceServers);
        await peer.setLocalDescription();
        const offer = { type: "offer", sdp: peer.localDescription.sdp, camera };
        const answer = await request("POST", "/api/v1/webrtc/offer", offer, { ended: this.#closing.signal });
        if (this.closed) return;
        this.session = answer.session;
        this.#mark("answered");
        if (iceServers.length > 0) this.#name(peer, answer.connection);
        await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
        this.#follow(peer.getTransceivers()[0]?.receiver.transport);
    }

    get closed() {
        return this.#closing.signal.aborted;
    }

    /** Sends an echo; resolves to the ms until it is back, or undefined after a limit. */
    async echo(limit_ms) {
        const id = `probe ${performance.now()}`;
        const sent = performance.now();
        if (this.#commands.send(JSON.stringify({ type: "echo", id }), sent) === "refused") return undefined;
        return new Promise((resolve) => {
            const timer = setTimeout(() => resolve(undefined), limit_ms);
            this.#echoes.set(id, () => {
                clearTimeout(timer);
                this.#echoes.delete(id);
                resolve(performance.now() - sent);
            });
        });
    }

    /** Ends the connection, and its session with it. */
    close() {
        if (this.closed) return;
        this.#closing.abort();
        this.peer?.close();
        this.#video.srcObject = null;
        if (this.session) request("DELETE", `/api/v1/sessions/${this.session}`).catch(() => {});
    }

    #prepare(iceServers) {
        const peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
        this.peer = peer;
        peer.addTransceiver("video", { direction: "recvonly" });
        peer.ontrack = ({ track }) => {
            this.#video.srcObject = new MediaStream([track]);
            this.#video.onloadeddata = () => {
                this.#add("picture", "decoded");
                this.#mark("picture");
            };
            this.#video.play().catch(() => {});
        };
        peer.onicegatheringstatechange = () => this.#add("gathering", peer.iceGatheringState);
        peer.oniceconnectionstatechange = () => {
            this.#add("ice", peer.iceConnectionState);
            if (["connected", "completed"].includes(peer.iceConnectionState)) this.#mark("path");
        };
        peer.onconnectionstatechange = () => {
            this.#add("peer", peer.connectionState);
            if (peer.connectionState === "connected") this.#mark("secured");
        };
        this.#listen(peer.createDataChannel("commands"));
        const predictions = peer.createDataChannel("predictions", { ordered: false, maxRetransmits: 0 });
        this.#watch(predictions);
        predictions.onmessage = () => this.#mark("prediction");
        return peer;
    }

    /** Where there are servers the device has to be told our addresses. */
    #name(peer, connection) {
        const name = (candidate) => {
            if (!candidate || candidate.type === "host" || this.closed) return;
            const { candidate: text, sdpMid, sdpMLineIndex } = candidate;
            request("POST", "/api/v1/webrtc/candidate", { connection, candidate: text, sdpMid, sdpMLineIndex }).catch(() => {});
        };
        peer.onicecandidate = ({ candidate }) => name(candidate);
    }

    #follow(transport) {
        if (!transport) return;
        this.#add("dtls", transport.state);
        transport.onstatechange = () => this.#add("dtls", transport.state);
    }

    #watch(channel) {
        const told = () => this.#add(channel.label, channel.readyState);
        channel.addEventListener("open", told);
        channel.addEventListener("close", told);
    }

    #listen(channel) {
        channel.binaryType = "arraybuffer";
        this.#commands = new Channel(channel);
        this.#watch(channel);
        channel.onopen = () => {
            this.#commands.opened(performance.now());
            this.#mark("channel");
        };
        channel.onmessage = ({ data }) => {
            if (typeof data !== "string") {
                if (new TextDecoder().decode(data) === PING) this.#commands.send(PONG, performance.now());
                return;
            }
            try {
                const { type, id } = JSON.parse(data);
                if (type === "echo") this.#echoes.get(id)?.();
            } catch {
                // A later version may speak otherwise.
            }
        };
    }

    #add(what, state) {
        if (this.closed) return;
        this.timeline.push({ at_ms: Math.round(performance.now() - this.#begin), what, state });
        if (this.timeline.length > KEPT_STATES) this.timeline.shift();
        this.#on.changed();
    }

    #mark(name) {
        this.marks[name] ??= Math.round(performance.now() - this.#begin);
        this.#on.changed();
    }
}
