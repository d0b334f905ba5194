// A picture that is lost: one device and one browser for all tests of a file.

import { after, before } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { eventually, Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

export const ARGS = ["--open", "--source", "demo", "--listen"];

export let browser;
export let signpost;

/** Starts the device that the others here speak of, also in place of one that has ended. */
export async function start(listen = "127.0.0.1:0", options = {}) {
    signpost = await Signpost.start([...ARGS, listen], options);
}

before(async () => {
    browser = await launch();
    await start();
});

after(async () => {
    await browser?.close();
    await signpost?.stop();
});

/** Runs in the page before its own scripts: keeps every connection that the page makes. */
export function keepPeers() {
    window.peers = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration) {
            super(configuration);
            window.peers.push(this);
        }
    };
}

/** Waits until the device has a picture and its models, and answers at once. */
export async function serves() {
    await eventually(signpost, ({ cameras, recognition }) =>
        cameras.every(({ state }) => state === "live") && recognition.state !== "starting");
}

/** A viewer with a picture that has stayed long enough to count as a success. */
export async function open() {
    const viewer = await Viewer.open(browser, signpost.url, { script: keepPeers });
    await rests(viewer);
    return viewer;
}

/** Waits until there is a picture and nothing is being tried any more. */
export async function rests(viewer) {
    await viewer.until("stats.phase === 'live' && stats.ladder.name === 'resting' && stats.fps > 3");
}

/** Closes the page's newest connection behind its back: it sees its channel close. */
export const cut = (viewer) => viewer.page.evaluate(() => window.peers.at(-1).close());

export const openPeers = (viewer) =>
    viewer.page.evaluate(() => window.peers.filter((peer) => peer.connectionState !== "closed").length);

/** The device's program stands still: it answers nothing and ends nothing, as behind a dead link. */
export async function standsStill(ms, meanwhile = () => {}) {
    process.kill(signpost.pid, "SIGSTOP");
    try {
        await Promise.all([delay(ms), meanwhile()]);
    } finally {
        process.kill(signpost.pid, "SIGCONT");
    }
}
