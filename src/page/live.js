// The live page put together: viewing, picture, overlay, transcript, status.

import { Refused } from "./api.js";
import { Clearing } from "./clearing.js";
import { Device } from "./device.js";
import { at, choice, put } from "./dom.js";
import { offerFullScreen } from "./fullscreen.js";
import { RESTING } from "./ladder.js";
import { Line } from "./line.js";
import { cameraOfAddress, keepCamera, keepTransport, leaveSession, reload, takeSession, transport } from "./memory.js";
import { Overlay } from "./overlay.js";
import { Panel, problem } from "./panel.js";
import { Picture } from "./picture.js";
import { shell } from "./shell.js";
import { Status } from "./status.js";
import { Transcript } from "./transcript.js";
import { Ways } from "./ways.js";
import { Trouble } from "./trouble.js";
import { Viewing } from "./viewing.js";
import { words } from "./words.js";

const STATUS_EVERY_MS = 3000;
const FIGURES_EVERY_MS = 1000;
/** Tasks of models that see hands (models/README.md). */
const OF_HANDS = /^hand/;

const toLogin = () => location.replace("/login");

// The device ends the session with the login.
shell({ leave: () => viewing.end() });
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
/** Why the camera did not start when it was asked to. */
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
    suspicious: () => device.ask(),
    stalled: reload,
    unauthorised: toLogin,
});

const device = new Device({ status: onStatus, unauthorised: toLogin });
const panel = new Panel({
    notPlayed: { words: words.showPicture, apply: () => pictures.get(viewing.connection)?.play() },
    cameraStopped: { words: words.startCamera, apply: startCamera },
    other: { words: words.connectAgain, apply: () => viewing.hurry() },
});

/** How the picture comes: by WebRTC, or as single pictures. */
const ways = new Ways({
    stage: at("stage"),
    viewing,
    picture(now, width, height, bytes) {
        fit(width, height);
        status.still(now, bytes);
        show();
    },
    changed() {
        overlay.forget();
        status.restart();
        show();
    },
    line: (text) => line.notice(text, performance.now()),
    unauthorised: toLogin,
}, transport());

function fit(width, height) {
    at("stage").style.aspectRatio = `${width} / ${height}`;
}

function onFrame(connection, picture, now, frame) {
    viewing.frame(connection);
    if (viewing.connection !== connection) return;
    overlay.show(picture);
    const { videoWidth, videoHeight } = picture.video;
    fit(videoWidth, videoHeight);
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
    if (ways.mjpeg) return ways.phase;
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
    ways.observe(performance.now());
    status.phase = phase();
    status.mjpeg = ways.mjpeg;
    status.connection = viewing.attempt ?? viewing.connection;
    status.rendition = renditions.get(viewing.connection);
    passClear();
    const told = present();
    showLine(told);
    panel.show(told);
}

function present() {
    const { camera, awaySince } = device;
    const { reason } = viewing;
    const ladder = ways.mjpeg ? RESTING : viewing.ladder;
    const unplayed = !ways.mjpeg && pictures.get(viewing.connection)?.refused;
    return problem({ ladder, reason, camera, awaySince, unstarted, unplayed });
}

function showLine(told = present()) {
    const { most, reason, connection } = viewing;
    // That offers are refused follows from what the panel says.
    const isSaid = reason?.kind === "refused" && told?.kind === "cameraStopped";
    const ladder = isSaid || ways.mjpeg ? RESTING : viewing.ladder;
    put(at("line"), line.text({ ladder, most, reason, again: Boolean(connection) }, performance.now()));
}

async function startCamera() {
    try {
        await device.start();
        unstarted = undefined;
        viewing.camera(device.camera.state);
        viewing.hurry();
        show();
        return;
    } catch (error) {
        if (!(error instanceof Refused)) line.notice(words.problems.unreachable.title, performance.now());
        // A refusal without words is one of a proxy's.
        unstarted = { detail: error.detail ?? error.title, hint: error.hint };
    }
    await device.ask();
    show();
}

function onStatus(answer, was) {
    const { camera, recognition } = device;
    viewing.camera(camera?.state);
    viewing.waits_s = answer.reconnect_waits_s;
    viewing.uptime_s = answer.uptime_s;
    // What was refused because the camera was stopped is not refused any more.
    if (was === "stopped" && camera?.state !== "stopped") viewing.hurry();
    status.camera = camera;
    status.recognition = recognition;
    showTask(recognition?.task);
    offerCameras();
    show();
}

/** Words that fit what the model does. */
function showTask(task) {
    transcript.task = task;
    const hands = task === undefined || OF_HANDS.test(task);
    put(at("landmarks-words"), hands ? words.landmarks : words.boxes);
    at("landmarks-switch").hidden = !hands && task !== "detect";
}

/** A choice where there is more than one. */
function offerCameras() {
    const { cameras, camera } = device;
    const names = cameras.map(({ name }) => name);
    at("camera-choice").hidden = names.length < 2;
    const now = at("camera");
    if (names.join() === [...now.options].map(({ value }) => value).join()) return;
    now.replaceChildren(...choice("", names.map((name) => [name, name])).options);
    now.value = camera.name;
}

/** Shows another camera, in the same session. */
function watch(name) {
    keepCamera(name);
    device.wanted = name;
    transcript.clear();
    ways.watch(name);
    device.ask();
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

async function copy() {
    const said = await navigator.clipboard?.writeText(transcript.text).then(() => words.copied, () => undefined);
    line.notice(said ?? words.notCopied, performance.now());
    showLine();
}

function overlayInWords() {
    if (!at("landmarks").checked) return words.hiddenLandmarks;
    const { age_ms } = overlay.shown;
    if (age_ms === undefined) return words.noResults;
    return overlay.inStep ? words.inStep : words.behind(age_ms);
}

at("clear").addEventListener("click", clear);
at("copy").addEventListener("click", copy);
at("landmarks").addEventListener("change", (event) => {
    overlay.visible = event.target.checked;
});
at("lowest-latency").addEventListener("change", (event) => {
    overlay.lowestLatency = event.target.checked;
});
at("camera").addEventListener("change", (event) => watch(event.target.value));
at("transport").append(...choice("", Object.entries(words.transports)).options);
at("transport").value = transport();
at("transport").addEventListener("change", ({ target }) => {
    keepTransport(target.value);
    ways.choose(target.value);
});
offerFullScreen(at("stage"), at("full-screen"));
addEventListener("online", () => viewing.hurry());
document.addEventListener("visibilitychange", () => {
    if (!document.hidden) viewing.wake();
});
// The device sees at once that the connection is closed and gives its place to the
// next viewer. It keeps the session for a while: this may be a reload.
addEventListener("pagehide", () => {
    leaveSession(viewing.session);
    ways.stop();
});
// The Back button may bring the page back as it was left, without its connection.
addEventListener("pageshow", (event) => {
    if (event.persisted) ways.start(takeSession());
});

setInterval(() => {
    status.pair = viewing.pair;
    ways.look(performance.now());
    status.show(performance.now(), overlayInWords());
    showLine();
}, FIGURES_EVERY_MS);
// A silent device is asked whether it is there, which is enough.
setInterval(() => (viewing.silent && !ways.mjpeg) || device.ask(), STATUS_EVERY_MS);

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
            transmission: ways.name,
        };
    },
};

const first = cameraOfAddress();
device.wanted = first;
ways.camera = first;
ways.start(takeSession());
device.ask();
status.show(performance.now());
