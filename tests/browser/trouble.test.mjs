// What the page says when something is in the way.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { eventually, Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

let browser;

before(async () => {
    browser = await launch();
});

after(() => browser?.close());

test("a viewer too many is told so and gets the place that becomes free", async () => {
    const signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"], {
        env: { SIGNPOST_SESSIONS__MAX_VIEWERS: "1" },
    });
    try {
        const first = await Viewer.open(browser, signpost.url);
        await first.connects();
        const second = await Viewer.open(browser, signpost.url);
        await second.page.getByText("All places are taken").first().waitFor();
        await second.page.getByText(/Attempt 2 of 5/).waitFor();
        await second.page.getByRole("button", { name: "Connect again" }).waitFor();
        await first.close();
        await second.until("stats.phase === 'live'");
        await second.page.locator("#problem").waitFor({ state: "hidden" });
    } finally {
        await signpost.stop();
    }
});

/** Waits until the device counts so many viewers. */
const viewers = (signpost, count) => eventually(signpost, ({ sessions }) => sessions.viewers === count);

test("who leaves gives the place back, and who comes back sees the picture again", async () => {
    const signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"]);
    try {
        const viewer = await Viewer.open(browser, signpost.url);
        await viewer.connects();
        await viewers(signpost, 1);
        // As the Back button does where the page is kept as it was left.
        const show = (type) => viewer.page.evaluate(
            (name) => dispatchEvent(new PageTransitionEvent(name, { persisted: true })), type);
        await show("pagehide");
        await viewers(signpost, 0);
        await show("pageshow");
        await viewer.connects();
        await viewers(signpost, 1);
        await viewer.page.goto("about:blank");
        await viewers(signpost, 0);
    } finally {
        await signpost.stop();
    }
});

test("a refusal for another reason than a full house is told as it is", async () => {
    const signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"]);
    try {
        const page = await (await browser.newContext()).newPage();
        const problem = { title: "no new sessions", detail: "too many offers at once", status: 503, hint: "try again" };
        await page.route("**/api/v1/webrtc/offer", (route) =>
            route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) }));
        await page.goto(signpost.url);
        await page.getByText("too many offers at once").waitFor();
        await page.locator("#problem-title", { hasText: "The device refused the connection" }).waitFor();
    } finally {
        await signpost.stop();
    }
});

test("a device whose keepalives come every 20 s keeps its viewer", async () => {
    const signpost = await Signpost.start(["--open", "--source", "test", "--listen", "127.0.0.1:0"], {
        env: { SIGNPOST_SESSIONS__KEEPALIVE_S: "20" },
    });
    try {
        const viewer = await Viewer.open(browser, signpost.url);
        await viewer.connects();
        const { attempts } = await viewer.stats();
        // Longer than three keepalives would take at the default.
        await delay(18_000);
        const stats = await viewer.stats();
        assert.deepEqual([stats.attempts, stats.ladder.name], [attempts, "resting"], `lost: ${stats.last_reason}`);
        await viewer.close();
    } finally {
        await signpost.stop();
    }
});

/** Runs in the page before its own scripts: pictures play only in a person's click. */
function refuseAutoplay() {
    const { prototype } = HTMLMediaElement;
    Object.defineProperty(prototype, "autoplay", { set() {} });
    const { play } = prototype;
    // Not navigator.userActivation: every question of a test from outside sets it.
    let clicked = false;
    addEventListener("click", () => (clicked = true), true);
    prototype.play = function () {
        if (clicked) return play.call(this);
        return Promise.reject(new DOMException("not without a click", "NotAllowedError"));
    };
}

test("a browser that plays nothing by itself offers a button for the picture", async () => {
    const signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"]);
    try {
        const viewer = await Viewer.open(browser, signpost.url, { script: refuseAutoplay });
        await viewer.until("stats.ladder.name === 'resting'");
        const { attempts } = await viewer.stats();
        await viewer.page.locator("#problem-title", { hasText: "This browser waits for you" }).waitFor();
        // Longer than a picture may be silent: the packets go on.
        await delay(5000);
        assert.equal((await viewer.stats()).attempts, attempts);
        await viewer.page.getByRole("button", { name: "Show the picture" }).click();
        await viewer.until("stats.phase === 'live' && stats.fps > 3");
        await viewer.page.locator("#problem").waitFor({ state: "hidden" });
        await viewer.close();
    } finally {
        await signpost.stop();
    }
});

test("what the browser does not take from the device is told in the browser's words", async () => {
    const signpost = await Signpost.start(["--open", "--source", "test", "--listen", "127.0.0.1:0"]);
    const cases = [
        ["**/api/v1/ice-servers", { iceServers: [{ urls: "turn:" }] }, /ICE server|URL|turn/i],
        ["**/api/v1/webrtc/offer", { type: "answer", sdp: "v=0", session: "0", connection: "0" }, /SessionDescription|SDP/i],
    ];
    try {
        for (const [path, json, browsersWords] of cases) {
            const viewer = await Viewer.open(browser, "about:blank");
            await viewer.page.route(path, (route) => route.fulfill({ json }));
            await viewer.page.goto(signpost.url);
            await viewer.page.getByText("This browser and the device do not fit", { exact: true }).waitFor();
            assert.match(await viewer.page.locator("#problem-hint").textContent(), browsersWords);
            await viewer.close();
        }
    } finally {
        await signpost.stop();
    }
});

test("a path over which no encryption is agreed on is told as that", async () => {
    const signpost = await Signpost.start(["--open", "--source", "test", "--listen", "127.0.0.1:0"]);
    try {
        const viewer = await Viewer.open(browser, "about:blank");
        await viewer.page.route("**/api/v1/webrtc/offer", async (route) => {
            const response = await route.fetch();
            const answer = await response.json();
            // Another certificate's fingerprint: ICE connects, DTLS does not.
            const sdp = answer.sdp.replace(/(a=fingerprint:sha-256) .*/g, `$1 ${Array(32).fill("11").join(":")}`);
            await route.fulfill({ response, json: { ...answer, sdp } });
        });
        await viewer.page.goto(signpost.url);
        await viewer.until("stats.last_reason === 'securing'");
        await viewer.page.getByText(/The connection could not be secured/).first().waitFor();
        await viewer.close();
    } finally {
        await signpost.stop();
    }
});

test("a camera that was stopped is started from the page", async () => {
    const signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"]);
    try {
        const viewer = await Viewer.open(browser, signpost.url);
        await viewer.connects();
        const stop = () => fetch(new URL("/api/v1/liveview/stop", signpost.url), {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ protocol: "webrtc" }),
        });
        const start = viewer.page.getByRole("button", { name: "Start the camera" });
        await stop();
        await viewer.page.getByRole("heading", { name: "The camera is stopped" }).waitFor();

        const problem = { title: "not now", detail: "the camera is being moved", status: 409, hint: "wait for it" };
        await viewer.page.route("**/liveview/start", (route) => route.fulfill({ status: 409, json: problem }), { times: 1 });
        await start.click();
        await viewer.page.locator("#problem").getByText("the camera is being moved").waitFor();

        await start.click();
        // The picture in the camera's place moves too: until the panel says no more.
        await viewer.until("stats.phase === 'live' && stats.fps > 3 && document.getElementById('problem').hidden");

        // Who comes while it is stopped is refused, and has the same button.
        await stop();
        // Until it is, who comes is shown the picture in its place.
        await eventually(signpost, ({ cameras }) => cameras[0].state === "stopped");
        await viewer.page.reload();
        await start.waitFor();
        // The panel has said why.
        await viewer.until("stats.ladder.name === 'waiting' && document.getElementById('line').textContent === ''");
        await start.click();
        await viewer.until("stats.phase === 'live' && stats.fps > 3");
        await viewer.close();
    } finally {
        await signpost.stop();
    }
});

test("a browser without WebRTC is told so", async () => {
    const signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"]);
    try {
        const context = await browser.newContext();
        await context.addInitScript(() => delete window.RTCPeerConnection);
        const page = await context.newPage();
        await page.goto(signpost.url);
        await page.getByText("It has no WebRTC").waitFor();
    } finally {
        await signpost.stop();
    }
});

/** Runs in the page before its own scripts: keeps the channel that the page makes. */
function keepCommands() {
    const create = RTCPeerConnection.prototype.createDataChannel;
    RTCPeerConnection.prototype.createDataChannel = function (label, options) {
        const channel = create.call(this, label, options);
        if (label === "commands") window.commands = channel;
        return channel;
    };
}

/** Runs in the page: says what no page says, and resolves when an echo comes back. */
function talkNonsense() {
    const { commands } = window;
    const long = "x".repeat(20_000);
    for (const text of ["", "{", "[1]", '{"type":7}', "\0PING", long]) {
        commands.send(text);
        commands.send(new TextEncoder().encode(text));
    }
    for (let n = 0; n < 500; n += 1) commands.send(JSON.stringify({ type: "noise", n }));
    return new Promise((resolve) => {
        // A flood is cut: the echo is asked for until it fits again.
        const ask = setInterval(() => commands.send('{"type":"echo","id":"still there"}'), 100);
        commands.addEventListener("message", ({ data }) => {
            if (typeof data !== "string" || !data.includes("still there")) return;
            clearInterval(ask);
            resolve(commands.readyState);
        });
    });
}

test("nonsense on a channel ends nothing", async () => {
    const signpost = await Signpost.start(["--open", "--source", "test", "--listen", "127.0.0.1:0"]);
    const context = await browser.newContext();
    try {
        await context.addInitScript(keepCommands);
        const page = await context.newPage();
        await page.goto(signpost.url);
        await page.waitForFunction(() => window.commands?.readyState === "open");
        assert.equal(await page.evaluate(talkNonsense), "open");
        const { frames } = await page.evaluate(() => window.signpost.stats);
        await page.waitForFunction((before) => window.signpost.stats.frames > before + 10, frames);
    } finally {
        await context.close();
        await signpost.stop();
    }
});
