// What a viewer sees, over as many connections as it takes: the connection whose
// picture is shown, and the attempt that shall follow it when it is lost.

import { answers, Refused, request } from "./api.js";
import { Connection, Ending } from "./connection.js";
import { climb, RESTING, WAITS_MS } from "./ladder.js";
import { between } from "./link.js";
import { Pulse } from "./pulse.js";
import { Repair } from "./repair.js";

/** Often enough that a silence is seen 0.25 s after its limit. */
const LOOK_EVERY_MS = 250;
/** Packets are counted only while no frame is shown; each count asks the browser. */
const COUNT_EVERY_MS = 500;
/** Round-trip time, loss and buffers: means over less jump about (S2.4). */
const LINK_EVERY_MS = 5000;
/** How often is looked whether packets had to be repeated: a second is how long a change takes anyhow. */
const REPAIR_EVERY_MS = 1000;
/** So often a waiting page asks whether the device is back. */
const QUESTION_EVERY_MS = 500;
/** And so often one that has given up: its device may be away for the night. */
const LATE_QUESTION_EVERY_MS = 3000;
/** What the device said of its camera is good for two of the page's questions (each 3 s) and an answer. */
const CAMERA_KNOWN_MS = 8000;

/** What an attempt lacked when its time was up, by its phase; words.problems has the hints. */
const LACKING = { checking: "checking", securing: "securing", waiting: "noPicture" };

export class Viewing {
    /** Of all time, for the tests and the details. */
    counts = { connections: 0, attempts: 0, drops: 0 };
    /** Why the last connection or attempt ended. */
    reason;
    /** The last link figures of the shown connection; the first are there after two looks. */
    link;
    /** Its pair of addresses (see link.js), known after one. */
    pair;
    #on;
    #ladder = RESTING;
    /** The ladder's waits, and those that the device said last. */
    #waits_ms = WAITS_MS;
    #told_ms = WAITS_MS;
    #session;
    #iceServers;
    /** `{ connection, pulse, repair, fault, figures }`; a connection that has ended keeps its picture until the next. */
    #shown;
    #next;
    #camera = {};
    /** The name of the camera that is looked at; the device's first if there is none. */
    source;
    /** How long its program had run, as it last said since the shown connection came. */
    #uptime_s;
    #timer;
    #countedAt = 0;
    #linkAt = 0;
    #repairAt = 0;
    #askedAt = 0;
    #asking;

    /**
     * `on` holds the callbacks: `changed()`, `track(connection, stream, receiver)`,
     * `unseen(connection)`, whether the browser shows no frame of it though it could,
     * `shown()` when an attempt has become the connection, `dropped(connection)` when
     * one has been ended or replaced, `prediction(connection, message)`,
     * `command(connection, message)`, `link(figures)`, `repair(connection, hold_ms)` with the
     * playout delay that repeated packets need, `suspicious()` when the picture
     * stands still, `stalled()` when the browser does not look for a path, and
     * `unauthorised()`.
     */
    constructor(on) {
        this.#on = on;
    }

    get session() {
        return this.#session;
    }

    /** resting, attempt, waiting, trial or over (see ladder.js); `step` counts the attempts after the first. */
    get ladder() {
        return this.#ladder;
    }

    /** How many attempts may follow the first. */
    get most() {
        return this.#waits_ms.length;
    }

    /** The device's word for the waits before them; a device that is silent is taken at its last. */
    set waits_s(list) {
        if (list?.length > 0) this.#told_ms = list.map((wait_s) => wait_s * 1000);
    }

    /** Whether the device has not answered when it was last asked. */
    get silent() {
        return Boolean(this.#ladder.deaf);
    }

    get connection() {
        return this.#shown?.connection;
    }

    get attempt() {
        return this.#next?.connection;
    }

    /** Connects; `session`: the id of a session to go on with. */
    start(session) {
        this.#session = session;
        this.#ladder = RESTING;
        this.#timer = setInterval(() => this.#look(performance.now()), LOOK_EVERY_MS);
        this.#step({ type: "lost" });
    }

    /** Now is a good moment: the network is back, the page is looked at, the button was pressed. */
    hurry() {
        if (this.#timer !== undefined) this.#step({ type: "hurry" });
    }

    /** What the device says of its camera: without one there is no picture to wait for. */
    camera(state) {
        this.#camera = { away: state !== undefined && state !== "live", at: performance.now() };
    }

    /** How long the device's program has run. If that is less than before, it is another one, without connections. */
    set uptime_s(seconds) {
        const restarted = seconds < this.#uptime_s;
        this.#uptime_s = seconds;
        if (restarted && this.#shown && !this.#shown.fault) this.#ended(this.#shown.connection, new Ending("lost"));
    }

    /** A frame of this connection was shown. */
    frame(connection) {
        if (connection === this.#next?.connection) this.#arrive();
        if (connection !== this.#shown?.connection) return;
        this.#shown.pulse.frame(performance.now());
        connection.pictured();
    }

    /** Somebody looks at the page again: what happened meanwhile is seen now and not with the next timer. */
    wake() {
        if (this.#timer === undefined) return;
        this.#look(performance.now());
        this.hurry();
    }

    /** As stop, and the next start is a new session. */
    end() {
        this.stop();
        this.#session = undefined;
    }

    /** Ends everything; nothing of it runs on. The session stays the device's for a while. */
    stop() {
        clearInterval(this.#timer);
        this.#timer = undefined;
        this.#clear();
    }

    #step(event) {
        // Attempts that have begun to be counted are counted to the end.
        if (!(this.#ladder.step > 0)) this.#waits_ms = this.#told_ms;
        const { state, todo } = climb(this.#ladder, event, performance.now(), this.#waits_ms);
        const changed = state !== this.#ladder;
        this.#ladder = state;
        if (todo === "drop") this.#drop();
        if (todo === "attempt") this.#attempt();
        if (todo === "stop") this.#clear();
        if (changed || todo) this.#on.changed();
    }

    #attempt() {
        this.#drop();
        this.counts.attempts += 1;
        const connection = new Connection({
            phase: (phase) => {
                if (phase === "asking") this.#step({ type: "asked" });
                this.#on.changed();
            },
            answered: ({ session }) => {
                this.#session = session;
            },
            track: (stream, receiver) => this.#on.track(connection, stream, receiver),
            heard: () => this.#hear(connection),
            prediction: (message) => this.#on.prediction(connection, message),
            command: (message) => this.#command(connection, message),
            ended: (ending) => this.#ended(connection, ending),
        });
        this.#next = { connection, pulse: new Pulse(performance.now()), repair: new Repair() };
        connection.open({ servers: () => this.servers(), session: this.#session, camera: this.source });
    }

    /** STUN and TURN servers, asked for again only after an attempt has failed: in most networks there are none. */
    async servers() {
        try {
            this.#iceServers ??= (await request("GET", "/api/v1/ice-servers")).iceServers;
        } catch (error) {
            // A device that does not answer would not answer the offer either.
            if (!(error instanceof Refused) || error.status === 401) throw error;
        }
        return this.#iceServers ?? [];
    }

    #ended(connection, ending) {
        this.reason = ending;
        if (ending.status === 401) {
            this.stop();
            this.#on.unauthorised();
            return;
        }
        if (connection === this.#next?.connection) {
            const type = ending.final ? "refused" : "failed";
            this.#step({ type, deaf: ending.kind === "unreachable", after_ms: ending.after_ms });
        } else if (connection === this.#shown?.connection) {
            this.#shown.fault = "ended";
            this.#step({ type: "lost" });
        }
    }

    /** The attempt is the connection from now on. */
    #arrive() {
        const old = this.#shown;
        this.#shown = this.#next;
        this.#shown.pulse.begin(performance.now());
        this.#next = undefined;
        this.#uptime_s = undefined;
        this.counts.connections += 1;
        this.link = undefined;
        this.pair = undefined;
        this.#linkAt = -Infinity;
        this.#close(old);
        this.#on.shown();
        this.#step({ type: "arrived" });
    }

    #drop() {
        if (!this.#next) return;
        this.counts.drops += 1;
        // What was wrong may have been a server's address, or a credential's age.
        this.#iceServers = undefined;
        this.#close(this.#next);
        this.#next = undefined;
    }

    #close(leg) {
        if (!leg) return;
        leg.connection.close();
        this.#on.dropped(leg.connection);
    }

    #clear() {
        this.#close(this.#next);
        this.#close(this.#shown);
        this.#next = undefined;
        this.#shown = undefined;
        this.#asking?.abort();
        this.#asking = undefined;
    }

    #leg(connection) {
        return [this.#shown, this.#next].find((leg) => leg?.connection === connection);
    }

    #hear(connection) {
        this.#leg(connection)?.pulse.heard(performance.now());
    }

    #command(connection, message) {
        const leg = this.#leg(connection);
        if (leg && message.type === "hello") leg.pulse.keepalive_s = message.keepalive_s;
        this.#on.command(connection, message);
    }

    #look(now) {
        const away = Boolean(this.#camera.away) && now - this.#camera.at < CAMERA_KNOWN_MS;
        this.#watch(now, away);
        this.#settle(away);
        if (this.#ladder.name === "attempt" && now >= this.#ladder.until) {
            const { phase, stalled } = this.#next?.connection ?? {};
            this.reason = new Ending(stalled ? "stalled" : (LACKING[phase] ?? "unreachable"));
            if (stalled) this.#on.stalled();
        }
        this.#step({ type: "tick" });
        const { name, final } = this.#ladder;
        if (name === "waiting") this.#question(now, QUESTION_EVERY_MS);
        if (name === "over" && !final && !document.hidden) this.#question(now, LATE_QUESTION_EVERY_MS);
    }

    /** Where no frame can tell that the attempt has succeeded, its channel does. */
    #settle(away) {
        const { connection } = this.#next ?? {};
        if (connection?.commands.state !== "open") return;
        // A hidden tab is told of no frames. Packets tell the rest when it is seen again.
        if (away || document.hidden || this.#on.unseen(connection)) this.#arrive();
    }

    /** Looks whether the shown connection is alive, or alive again. */
    #watch(now, away) {
        const leg = this.#shown;
        if (!leg || leg.fault === "ended") return;
        const { hidden } = document;
        leg.pulse.look(now, { hidden, away });
        if (leg.pulse.suspicious(now) && !hidden) this.#count(leg, now);
        if (now - this.#linkAt >= LINK_EVERY_MS && !hidden) this.#measure(leg, now);
        if (now - this.#repairAt >= REPAIR_EVERY_MS && !hidden) this.#repair(leg, now);
        const fault = leg.pulse.fault(now);
        if (fault === leg.fault) return;
        leg.fault = fault;
        if (fault) this.reason = new Ending("lost");
        this.#step({ type: fault ? "lost" : "revived" });
    }

    async #count(leg, now) {
        if (now - this.#countedAt < COUNT_EVERY_MS) return;
        this.#countedAt = now;
        this.#on.suspicious();
        const figures = await leg.connection.figures();
        if (figures?.packets !== undefined) leg.pulse.packets(figures.packets, performance.now());
    }

    async #repair(leg, now) {
        this.#repairAt = now;
        const figures = await leg.connection.figures();
        if (!figures || leg !== this.#shown) return;
        leg.repair.observe(figures, now);
        this.#on.repair(leg.connection, leg.repair.hold_ms(now));
    }

    async #measure(leg, now) {
        const elapsed_ms = now - this.#linkAt;
        this.#linkAt = now;
        const figures = await leg.connection.figures();
        if (!figures || leg !== this.#shown) return;
        this.pair = figures.pair;
        if (leg.figures) {
            this.link = { ...between(leg.figures, figures, elapsed_ms), buffered_bytes: figures.buffered_bytes };
            this.#on.link(this.link);
        }
        leg.figures = figures;
    }

    /** Asks whether the device is there: its first answer after a silence ends the waiting. */
    async #question(now, every_ms) {
        if (this.#asking || now - this.#askedAt < every_ms) return;
        this.#askedAt = now;
        const asking = new AbortController();
        this.#asking = asking;
        const there = await answers(asking.signal);
        if (this.#asking !== asking) return; // It was ended meanwhile.
        this.#asking = undefined;
        this.#step({ type: there ? "answered" : "unanswered" });
    }
}
