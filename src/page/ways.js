// The two ways in which a picture comes, of which one is taken at a time.

import { Connection } from "./connection.js";
import { Stream } from "./mjpeg.js";
import { begin, change } from "./transmission.js";
import { words } from "./words.js";

export class Ways {
    #stage;
    #viewing;
    #on;
    #state;
    #stream;
    #camera;
    /** Whether single pictures come. */
    #flows = false;
    /** The connection behind the single pictures. */
    #trial;
    #stopped = true;
    #does = {
        mjpeg: () => this.#toStills(),
        webrtc: () => this.#toVideo(),
        try: () => this.#try(),
        drop: () => this.#drop(),
    };

    /** `on`: stage, viewing, and the callbacks `picture(now, width, height, bytes)`, `changed()`, `line(text)`, `unauthorised()`. */
    constructor({ stage, viewing, ...on }, choice) {
        this.#stage = stage;
        this.#viewing = viewing;
        this.#on = on;
        this.#state = begin(choice);
        this.#stream = new Stream({
            picture: (width, height, bytes) => {
                this.#flows = true;
                on.picture(performance.now(), width, height, bytes);
            },
            broken: (why) => {
                this.#flows = false;
                on.line(why);
                this.#step({ type: "broken" });
            },
            unauthorised: on.unauthorised,
        });
    }

    get name() {
        return this.#state.name;
    }

    /** Whether single pictures are shown. */
    get mjpeg() {
        return this.#state.name !== "webrtc";
    }

    /** Of single pictures: waiting, live or reconnecting. */
    get phase() {
        if (this.#flows) return "live";
        return this.#stream.running ? "waiting" : "ended";
    }

    start(session) {
        this.#stopped = false;
        if (this.mjpeg) this.#stills();
        else this.#viewing.start(session);
    }

    stop() {
        this.#stopped = true;
        this.#drop();
        this.#stream.stop();
        this.#viewing.stop();
    }

    /** auto, webrtc or mjpeg, by a person. */
    choose(choice) {
        this.#step({ type: "chosen", choice });
    }

    /** The camera's name, for what is started from now on; the first if there is none. */
    set camera(name) {
        this.#camera = name;
        this.#viewing.source = name;
    }

    /** Shows another camera. */
    watch(name) {
        this.camera = name;
        if (this.mjpeg) {
            this.#stills();
            return;
        }
        const { session } = this.#viewing;
        this.#viewing.stop();
        this.#viewing.start(session);
    }

    /** Once a second: whether it is time for something. */
    look(now) {
        const { ladder, connection } = this.#viewing;
        if (!this.mjpeg && ladder.name === "resting" && connection?.phase === "live") this.#step({ type: "steady" }, now);
        this.#step({ type: "tick" }, now);
    }

    /** Whether the ladder has come to its end. */
    observe(now) {
        const { ladder, reason } = this.#viewing;
        if (this.mjpeg || this.#stopped) return;
        if (ladder.name === "over" && reason) this.#step({ type: "over", kind: reason.kind }, now);
        else if (ladder.name !== "resting") this.#step({ type: "broken" }, now);
    }

    #step(event, now = performance.now()) {
        const { state, todo } = change(this.#state, event, now);
        this.#state = state;
        if (todo) this.#does[todo]();
    }

    #toStills() {
        const { reason } = this.#state;
        if (reason) this.#on.line(words.mjpegBecause(words.problems[reason]));
        this.#viewing.end();
        this.#stills();
        this.#on.changed();
    }

    #toVideo() {
        this.#drop();
        this.#stream.stop();
        this.#flows = false;
        this.#viewing.start();
        this.#on.changed();
    }

    /** Makes a connection as Viewing does, and looks whether pictures are decoded on it. */
    #try() {
        const trial = new Connection({
            phase: () => {}, answered: () => {}, heard: () => {}, prediction: () => {}, command: () => {},
            track: (stream) => this.#judge(trial, stream),
            ended: () => trial === this.#trial && this.#step({ type: "tried", good: false }),
        });
        this.#trial = trial;
        trial.open({ servers: () => this.#viewing.servers(), camera: this.#camera });
    }

    /** A frame that is decoded says all: no element of the page has to show it. */
    #judge(trial, stream) {
        const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, srcObject: stream });
        video.addEventListener("loadeddata", () => trial === this.#trial && this.#step({ type: "tried", good: true }));
        video.play().catch(() => {});
    }

    #drop() {
        const trial = this.#trial;
        this.#trial = undefined;
        trial?.close();
    }

    #stills() {
        this.#flows = false;
        this.#stream.start(this.#stage, this.#camera);
    }
}
