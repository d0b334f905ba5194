// The live page put together: viewing, picture, overlay, transcript, status.

import { Refused, request } from "./api.js";
import { Clearing } from "./clearing.js";
import { Ending } from "./connection.js";
import { RESTING } from "./ladder.js";
import { Line } from "./line.js";
import { Overlay } from "./overlay.js";
import { Picture } from "./picture.js";
import { Status } from "./status.js";
import { Transcript } from "./transcript.js";
import { Trouble } from "./trouble.js";
import { Viewing } from "./viewing.js";
import { fill, words } from "./words.js";

const STATUS_EVERY_MS = 3000;
const FIGURES_EVERY_MS = 1000;
/** Where a reload finds the session that it goes on with. */
const SESSION_KEY = "signpost.session";
/** When the page last loaded itself again, in ms since 1970. */
const RELOADED_KEY = "signpost.reloaded";
/** If it did not help, it will not help soon. */
const RELOAD_EVERY_MS = 60_000;
/** The device's reason begins with what it wanted to show. */
const CLIP = /^(demo )?clip\b/;

const at = (id) => document.getElementById(id);

fill(document);
const status = new Status();
const transcript = new Transcript({
    text: at("transcript"),
    spoken: at("spoken"),
    sign: at("sign"),
    score: at("score"),
    bar: at("bar"),
    alternatives: at("alternatives"),
});
const overlay = new Overlay(at("overlay"));
const line = new Line();
const trouble = new Trouble();
const clearing = new Clearing();
/** The connection on which the present wish to clear was sent. */
let clearedOn;
/** The picture of each connection. */
const pictures = new WeakMap();
/** What the device said last of each connection's rendition; it says it before the first frame, and once. */
const renditions = new WeakMap();
/** The problem that stands in the panel: a screen reader says it again whenever it is written. */
let told;
/** What the panel's button does for some problems; for the others it connects again. */
const remedies = {
    notPlayed: { words: words.showPicture, apply: () => pictures.get(viewing.connection)?.play() },
    cameraStopped: { words: words.startCamera, apply: startCamera },
};
/** What the device says of its camera. */
let camera;
/** Since when it has no picture, by this browser's clock. */
let awaySince;
/** The question for the status that is open, if one is. */
let askingStatus;
/** Why it did not start the camera when it was asked to. */
let unstarted;

const viewing = new Viewing({
    changed: show,
    track(connection, stream, receiver) {
        pictures.set(connection, new Picture(at("stage"), stream, receiver, {
            onFrame: (picture, now, frame) => onFrame(connection, picture, now, frame),
            onRefused: show,
        }));
    },
    unseen: (connection) => Boolean(pictures.get(connection)?.refused),
    shown() {
        // A device that has restarted counts anew.
        transcript.restart();
        trouble.forget();
        line.trouble = undefined;
        status.link = undefined;
    },
    dropped(connection) {
        const picture = pictures.get(connection);
        if (picture !== overlay.picture) picture?.remove();
    },
    prediction: onPrediction,
    command: onCommand,
    link(link) {
        line.trouble = trouble.observe(link);
        status.link = link;
    },
    repair(connection, hold_ms) {
        const picture = pictures.get(connection);
        picture?.steps.holdAtLeast(hold_ms, performance.now());
        picture?.hold();
    },
    suspicious: askStatus,
    stalled: reload,
    unauthorised: () => location.replace("/login"),
});

function onFrame(connection, picture, now, frame) {
    viewing.frame(connection);
    if (viewing.connection !== connection) return;
    overlay.show(picture);
    const { videoWidth, videoHeight } = picture.video;
    at("stage").style.aspectRatio = `${videoWidth} / ${videoHeight}`;
    if (frame) overlay.frame(frame);
    status.frame(now, frame?.receiveTime && frame.expectedDisplayTime - frame.receiveTime);
}

function onPrediction(connection, message) {
    if (message.type !== "prediction") return;
    status.prediction(performance.now(), message);
    transcript.prediction(message);
    const picture = pictures.get(connection);
    if (picture) overlay.prediction(picture, message);
}

function onCommand(connection, message) {
    clearing.heard(message);
    if (message.type === "notice" && message.text) line.notice(message.text, performance.now());
    if (message.type === "renditions") renditions.set(connection, message);
    show();
}

/** The page's own phase: connecting, waiting, live, reconnecting or ended. */
function phase() {
    const { name, step } = viewing.ladder;
    if (name === "over") return "ended";
    if (name === "waiting") return "reconnecting";
    if (name === "attempt") {
        if (viewing.connection || step > 0) return "reconnecting";
        return ["gathering", "asking"].includes(viewing.attempt?.phase) ? "connecting" : "waiting";
    }
    return viewing.connection?.phase === "live" ? "live" : "waiting";
}

/** Everything that follows from the state of viewing and camera. */
function show() {
    status.phase = phase();
    status.connection = viewing.attempt ?? viewing.connection;
    status.rendition = renditions.get(viewing.connection);
    passClear();
    showLine();
    showProblem(problem());
}

function showLine() {
    const { most, reason, connection } = viewing;
    // That offers are refused follows from what the panel says.
    const isSaid = reason?.kind === "refused" && problem()?.kind === "cameraStopped";
    const ladder = isSaid ? RESTING : viewing.ladder;
    const text = line.text({ ladder, most, reason, again: Boolean(connection) }, performance.now());
    if (at("line").textContent !== text) at("line").textContent = text;
}

/** What the panel over the picture has to say, if anything. */
function problem() {
    const { ladder, reason } = viewing;
    // A stopped camera is why offers are refused, and it can be started from here.
    const over = ladder.name === "over";
    if (camera?.state === "stopped" && (!over || reason?.kind === "refused")) {
        return new Ending("cameraStopped", unstarted);
    }
    if (over) return reason;
    if (camera?.state === "failed") {
        const kind = CLIP.test(camera.reason) ? "clipFailed" : "cameraFailed";
        const title = words.since(words.problems[kind].title, awaySince);
        return Object.assign(new Ending(kind, { detail: camera.reason }), { title, passing: true });
    }
    if (pictures.get(viewing.connection)?.refused) return new Ending("notPlayed");
    // What the device itself said is told at once; that it is silent, by the line.
    const trying = ladder.name === "waiting" || (ladder.name === "attempt" && ladder.step > 0);
    return trying && ["capacity", "refused", "unfit"].includes(reason?.kind) ? reason : undefined;
}

function showProblem(ending) {
    // With its button hidden, the focus would fall back to the top of the page.
    if (!ending && at("problem").contains(document.activeElement)) at("stage").focus();
    at("problem").hidden = !ending;
    const parts = ["kind", "title", "detail", "hint"];
    if (!ending || parts.every((part) => ending[part] === told?.[part])) return;
    told = ending;
    const { title, detail } = words.problems[ending.kind];
    at("problem").dataset.kind = ending.kind;
    at("problem-title").textContent = ending.title ?? title;
    at("problem-detail").textContent = ending.detail ?? detail;
    at("problem-hint").textContent = ending.hint ?? "";
    at("remedy").textContent = remedies[ending.kind]?.words ?? words.connectAgain;
    at("remedy").hidden = Boolean(ending.passing);
}

async function startCamera() {
    try {
        const { state } = await request("POST", "/api/v1/liveview/start", { protocol: "webrtc", camera: camera.name });
        unstarted = undefined;
        // A status that was asked for before, or at once, may say what was.
        await askingStatus;
        camera = { ...camera, state };
        viewing.camera(state);
        viewing.hurry();
        show();
        return;
    } catch (error) {
        if (!(error instanceof Refused)) line.notice(words.problems.unreachable.title, performance.now());
        // A refusal without words is one of a proxy's.
        unstarted = { detail: error.detail ?? error.title, hint: error.hint };
    }
    await askStatus();
    show();
}

/** Asked for at regular times, and when the picture stands still; once at a time. */
function askStatus() {
    askingStatus ??= readStatus().finally(() => (askingStatus = undefined));
    return askingStatus;
}

async function readStatus() {
    try {
        const answer = await request("GET", "/api/v1/status");
        const was = camera?.state;
        camera = answer.cameras?.[0];
        awaySince = since(camera?.away_s);
        viewing.camera(camera?.state);
        viewing.waits_s = answer.reconnect_waits_s;
        viewing.uptime_s = answer.uptime_s;
        // What was refused because the camera was stopped is not refused any more.
        if (was === "stopped" && camera?.state !== "stopped") viewing.hurry();
        status.camera = camera;
        status.recognition = answer.recognition;
        transcript.task = answer.recognition?.task;
        at("log-out").hidden = !answer.login;
        show();
    } catch (error) {
        if (error instanceof Refused && error.status === 401) location.replace("/login");
        // Otherwise the connection itself will tell.
    }
}

/** The device counts whole seconds: the same absence has the same beginning. */
function since(seconds) {
    if (seconds === undefined) return undefined;
    const began = Date.now() - seconds * 1000;
    return Math.abs(began - awaySince) < 5000 ? awaySince : began;
}

/** Clears where the device can hear it; what it has not heard would be back with the next sign. */
function clear() {
    clearing.wish();
    clearedOn = undefined;
    show();
    if (!clearing.open || clearedOn) return;
    line.notice(words.clearLater, performance.now());
    showLine();
}

/** Sends an open wish to clear once on each connection whose picture flows, until the device has heard it. */
function passClear() {
    const { connection, ladder } = viewing;
    if (!clearing.open || ladder.name === "attempt" || ladder.name === "waiting") return;
    if (connection && connection === clearedOn) return;
    const result = connection && clearing.send((message) => connection.send(message));
    if (result && result !== "refused") {
        clearedOn = connection;
        transcript.clear();
    } else {
        clearing.giveUp();
        line.notice(words.clearImpossible, performance.now());
    }
}

function overlayInWords() {
    if (!at("landmarks").checked) return words.hiddenLandmarks;
    const { age_ms } = overlay.shown;
    if (age_ms === undefined) return words.noResults;
    return overlay.inStep ? words.inStep : words.behind(age_ms);
}

/** A reload finds its session; a copy of the tab does not, or the two would share one. */
function takeSession() {
    try {
        const session = sessionStorage.getItem(SESSION_KEY) ?? undefined;
        sessionStorage.removeItem(SESSION_KEY);
        return session;
    } catch {
        return undefined; // The browser may be told to keep nothing.
    }
}

function leaveSession() {
    try {
        if (viewing.session) sessionStorage.setItem(SESSION_KEY, viewing.session);
    } catch {
        // Then a reload gets a new session.
    }
}

/** What ails this page's browser is gone with the page (see Connection.stalled). */
function reload() {
    try {
        const last = Number(sessionStorage.getItem(RELOADED_KEY) ?? -Infinity);
        if (Date.now() - last < RELOAD_EVERY_MS) return;
        sessionStorage.setItem(RELOADED_KEY, `${Date.now()}`);
    } catch {
        return; // Without a memory it could go on for ever.
    }
    location.reload();
}

at("remedy").addEventListener("click", () => {
    const remedy = remedies[told.kind];
    if (remedy) remedy.apply();
    else viewing.hurry();
});
at("clear").addEventListener("click", clear);
at("landmarks").addEventListener("change", (event) => {
    overlay.visible = event.target.checked;
});
at("lowest-latency").addEventListener("change", (event) => {
    overlay.lowestLatency = event.target.checked;
});
at("log-out").addEventListener("click", async () => {
    // The device ends the session with the login.
    viewing.end();
    await request("POST", "/api/v1/logout").catch(() => {});
    location.replace("/login");
});
addEventListener("online", () => viewing.hurry());
document.addEventListener("visibilitychange", () => {
    if (!document.hidden) viewing.wake();
});
// The device sees at once that the connection is closed and gives its place to the
// next viewer. It keeps the session for a while: this may be a reload.
addEventListener("pagehide", () => {
    leaveSession();
    viewing.stop();
});
// The Back button may bring the page back as it was left, without its connection.
addEventListener("pageshow", (event) => {
    if (event.persisted) viewing.start(takeSession());
});

setInterval(() => {
    status.pair = viewing.pair;
    status.show(performance.now(), overlayInWords());
    showLine();
}, FIGURES_EVERY_MS);
// A silent device is asked whether it is there, which is enough.
setInterval(() => viewing.silent || askStatus(), STATUS_EVERY_MS);

// What tests and figures read.
window.signpost = {
    get stats() {
        const { connection, attempt, ladder, counts, reason, session, link } = viewing;
        const path = connection?.path ?? [];
        return {
            ...status.figures(performance.now()),
            ...overlay.counts,
            phase: status.phase,
            frames: overlay.shown.frames,
            drawn: overlay.shown.drawn,
            age_ms: overlay.shown.age_ms,
            rtpTimestamps: [...(overlay.picture?.rtpTimestamps ?? [])],
            delay_ms: overlay.hold(),
            offer_to_picture_ms: path.find((step) => step.phase === "live")?.at_ms,
            transcript: transcript.text,
            session,
            ...counts,
            ladder: { name: ladder.name, step: ladder.step },
            connection: connection && { phase: connection.phase, path, channels: connection.channels },
            attempt: attempt && { phase: attempt.phase, path: attempt.path },
            link,
            pair: viewing.pair,
            rendition: status.rendition?.current,
            last_reason: reason?.kind,
            clearing: clearing.open,
        };
    },
};

viewing.start(takeSession());
askStatus();
status.show(performance.now());
