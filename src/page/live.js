// The live page put together: connection, picture, overlay, transcript, status.

import { Refused, request } from "./api.js";
import { Connection, Ending } from "./connection.js";
import { Overlay } from "./overlay.js";
import { Status } from "./status.js";
import { Transcript } from "./transcript.js";
import { fill, words } from "./words.js";

const STATUS_EVERY_MS = 3000;
const FIGURES_EVERY_MS = 1000;
/** A device that has just started may need longer for its first answer than a request waits. */
const OFFERS = 3;

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
const overlay = new Overlay(at("video"), at("overlay"), onFrame);

let connection;
let session;
/** The problem that stands in the panel: a screen reader says it again whenever it is written. */
let told;
/** When the offer was begun, and what it took until the first picture. */
let offeredAt;
let offerToPicture_ms;

/** STUN and TURN servers, asked for once: in most networks there are none. */
let iceServers;
/** Offers in a row that nobody answered. */
let unanswered = 0;

async function connect() {
    showProblem(undefined);
    status.phase = "connecting";
    iceServers ??= await askIceServers();
    offeredAt = performance.now();
    offerToPicture_ms = undefined;
    connection?.close();
    connection = new Connection({
        answered(answer) {
            session = answer.session;
            unanswered = 0;
            status.phase = "waiting";
        },
        track(stream, receiver) {
            transcript.restart();
            overlay.attach(stream, receiver);
        },
        prediction(message) {
            if (message.type !== "prediction") return;
            status.prediction(performance.now(), message);
            overlay.prediction(message);
            transcript.prediction(message);
        },
        command() {}, // Notices and renditions: nothing sends them yet.
        ended: onEnd,
    });
    connection.open({ iceServers: iceServers ?? [], session });
}

async function askIceServers() {
    try {
        return (await request("GET", "/api/v1/ice-servers")).iceServers;
    } catch {
        return undefined; // The offer that follows will tell what is wrong.
    }
}

function onFrame(now, held_ms) {
    if (status.phase === "waiting") {
        offerToPicture_ms = performance.now() - offeredAt;
        status.phase = "live";
        at("stage").style.aspectRatio = `${at("video").videoWidth} / ${at("video").videoHeight}`;
    }
    status.frame(now, held_ms);
}

/** The one place where a connection's end is answered. */
function onEnd(ending) {
    if (ending.status === 401) {
        location.replace("/login");
        return;
    }
    unanswered = ending.kind === "unreachable" ? unanswered + 1 : 0;
    if (unanswered > 0 && unanswered < OFFERS) {
        connect();
        return;
    }
    unanswered = 0;
    status.phase = "ended";
    showProblem(ending);
}

function showProblem(ending) {
    // With its button hidden, the focus would fall back to the top of the page.
    if (!ending && at("problem").contains(document.activeElement)) at("stage").focus();
    at("problem").hidden = !ending;
    if (!ending || (ending.kind === told?.kind && ending.detail === told.detail)) return;
    told = ending;
    const { title, detail } = words.problems[ending.kind];
    at("problem-title").textContent = title;
    at("problem-detail").textContent = ending.detail ?? detail;
    at("problem-hint").textContent = ending.hint ?? "";
    at("connect").hidden = Boolean(ending.passing);
}

/** A camera that fails says so over the picture, and it goes away by itself. */
function showCamera(camera) {
    status.camera = camera;
    if (status.phase === "ended") return;
    const kind = { failed: "cameraFailed", stopped: "cameraStopped" }[camera?.state];
    const ending = kind && new Ending(kind, { detail: camera.reason });
    if (ending) ending.passing = true;
    showProblem(ending);
}

async function askStatus() {
    try {
        const answer = await request("GET", "/api/v1/status");
        showCamera(answer.cameras?.[0]);
        status.recognition = answer.recognition;
        at("log-out").hidden = !answer.login;
    } catch (error) {
        if (error instanceof Refused && error.status === 401) location.replace("/login");
        // Otherwise the connection itself will tell.
    }
}

function overlayInWords() {
    if (!at("landmarks").checked) return words.hiddenLandmarks;
    const { age_ms } = overlay.shown;
    if (age_ms === undefined) return words.noHand;
    return overlay.inStep ? words.inStep : words.behind(age_ms);
}

at("connect").addEventListener("click", connect);
at("clear").addEventListener("click", () => {
    // What the device has not heard would be back with the next sign.
    if (connection?.send({ type: "transcript.clear" })) transcript.clear();
});
at("landmarks").addEventListener("change", (event) => {
    overlay.visible = event.target.checked;
});
at("lowest-latency").addEventListener("change", (event) => {
    overlay.lowestLatency = event.target.checked;
});
at("log-out").addEventListener("click", async () => {
    // The device ends the session with the login.
    connection?.close();
    session = undefined;
    await request("POST", "/api/v1/logout").catch(() => {});
    location.replace("/login");
});
// A closed page gives its place to the next viewer at once.
addEventListener("pagehide", () => {
    if (session) fetch(`/api/v1/sessions/${session}`, { method: "DELETE", keepalive: true }).catch(() => {});
    session = undefined;
    connection?.close();
    status.phase = "ended";
});
// The Back button may bring the page back as it was left, without its connection.
addEventListener("pageshow", (event) => {
    if (event.persisted) connect();
});

setInterval(() => {
    status.show(performance.now(), overlayInWords());
}, FIGURES_EVERY_MS);
setInterval(askStatus, STATUS_EVERY_MS);

// What tests and figures read.
window.signpost = {
    get stats() {
        return {
            ...status.figures(performance.now()),
            ...overlay.counts,
            phase: status.phase,
            frames: overlay.shown.frames,
            drawn: overlay.shown.drawn,
            age_ms: overlay.shown.age_ms,
            rtpTimestamps: [...overlay.shown.rtpTimestamps],
            delay_ms: overlay.hold(),
            offer_to_picture_ms: offerToPicture_ms,
            transcript: transcript.text,
            session,
        };
    },
};

connect();
askStatus();
status.show(performance.now());
