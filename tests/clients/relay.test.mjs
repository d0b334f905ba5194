// A browser and a device that meet at a real TURN server only, and what its absence costs.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { DEVICE, Network, VISITOR } from "../browser/network.mjs";
import { binary, Signpost } from "../browser/signpost.mjs";
import { chromiumPath, launch } from "../browser/viewer.mjs";
import { Coturn } from "./coturn.mjs";
import { isMovingPicture } from "./programs.mjs";
import { asks, equip, meets, offers } from "./visitor.mjs";

const PASSWORD = "quiet-river-7431";

/** In the network, and nobody's: packets to it are lost in silence. */
const NOBODY = "192.0.2.77";

let folder;
let network;
let coturn;
let browser;
let signpost;
let page;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), "signpost-relay-"));
    const env = { ...process.env, SIGNPOST_ACCESS__PASSWORD_FILE: join(folder, "password") };
    execFileSync(binary, ["password"], { input: `${PASSWORD}\n`, env });
    network = await Network.make();
    coturn = await Coturn.start(VISITOR, network.onVisitor);
    browser = await launch(network.visitorsProgram(chromiumPath));
    // As behind a router without internet: what is asked outside stays unanswered.
    execFileSync(network.onDevice[0], [...network.onDevice.slice(1), "ip", "route", "add", "default", "via", NOBODY]);
});

afterEach(async () => {
    await page?.context().close();
    await signpost?.stop();
    [page, signpost] = [];
});

after(async () => {
    await browser?.close();
    await coturn?.stop();
    network?.remove();
    if (folder) rmSync(folder, { recursive: true });
});

/** A device with these lines in `[ice]`, and a visitor who is logged in there. */
async function device(ice) {
    const config = join(folder, "signpost.toml");
    writeFileSync(config, `[ice]\n${ice}\n`);
    const env = { SIGNPOST_ACCESS__PASSWORD_FILE: join(folder, "password") };
    const args = ["--config", config, "--source", "test", "--listen", `${DEVICE}:0`];
    signpost = await Signpost.start(args, { env, within: network.onDevice });
    page = await (await browser.newContext()).newPage();
    await equip(page);
    await page.goto(signpost.url);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL(signpost.url);
    // Where no page of ours connects by itself.
    await page.goto(`${signpost.url}api/v1/openapi.json`);
}

const turn = (credential) =>
    `{ urls = ["turn:${VISITOR}:3478"], username = ${JSON.stringify(coturn.username)}, ` +
    `credential = ${JSON.stringify(credential)} }`;

/** The candidates of an answer: transport, address, port and type of each. */
function candidates(sdp) {
    const lines = sdp.matchAll(/^a=candidate:\S+ 1 (\S+) \d+ (\S+) (\d+) typ (\S+)( tcptype active)?/gm);
    return [...lines].map(([, transport, address, port, type, active]) => ({
        transport: transport.toLowerCase(),
        address,
        port: Number(port),
        type,
        passive: !active,
    }));
}

/**
 * The candidate pair of the only connection; webrtcbin is asked for it each second.
 * A page that was there for a moment after the login may have left a session that is kept.
 */
async function path() {
    for (const deadline = performance.now() + 60_000; ; ) {
        const { sessions } = await page.evaluate(asks, "/api/v1/status");
        const connections = sessions.sessions.flatMap(({ connections }) => connections);
        const pair = connections.find(({ pair }) => pair)?.pair;
        if (pair) return pair;
        assert.ok(performance.now() < deadline, JSON.stringify(sessions));
        await page.waitForTimeout(100);
    }
}

/** Waits for our page's picture; its policy forbids Playwright's own way of waiting. */
async function picture() {
    for (const deadline = performance.now() + 60_000; ; ) {
        const { phase, frames, ...stats } = await page.evaluate(() => window.signpost.stats);
        if (phase === "live" && frames > 3) return;
        assert.ok(performance.now() < deadline, `${phase}, ${frames} frames, ${JSON.stringify(stats.connection)}`);
        await page.waitForTimeout(100);
    }
}

test("device and browser meet through the relay when neither may do otherwise", async () => {
    await device(`servers = [${turn(coturn.credential)}]\ntransport_policy = "relay"`);
    let seen;
    for (let tries = 0; tries < 3 && seen?.status !== 201; tries += 1) {
        // A busy machine may have no relay yet when the answer is due.
        seen = await page.evaluate(meets, { iceTransportPolicy: "relay" });
    }
    assert.equal(seen.status, 201, seen.answer);
    const types = new Set(candidates(seen.answer).map(({ type }) => type));
    assert.deepEqual([...types], ["relay"], seen.answer);
    isMovingPicture(seen);
    const { local, remote } = await path();
    assert.deepEqual([local, remote], ["relay", "relay"]);
});

test("the page meets a device that may only be met at its relay", async () => {
    await device(`servers = [${turn(coturn.credential)}]\ntransport_policy = "relay"`);
    await page.goto(signpost.url);
    await picture();
    assert.equal((await path()).local, "relay");
});

test("servers that nobody answers at do not hold the page's picture up", async () => {
    const urls = [`stun:${NOBODY}:3478`, `stun:${NOBODY}:3479`, `turn:${NOBODY}:3478`];
    await device(`servers = [{ urls = ${JSON.stringify(urls)}, username = "a", credential = "b" }]`);
    await page.goto(signpost.url);
    await picture();
    const took = await page.evaluate(() => window.signpost.stats.offer_to_picture_ms);
    console.log(`# the page's picture after ${Math.round(took)} ms`);
    // A page that gathered before it offered would need longer than this alone.
    assert.ok(took < 5000, `${took} ms`);
});

test("a wrong credential is told at once", async () => {
    await device(`servers = [${turn("wrong")}]\ntransport_policy = "relay"`);
    const all = await page.evaluate(offers, 3);
    for (const { status, text } of all) {
        assert.equal(status, 503, text);
        assert.match(JSON.parse(text).detail, /no TURN server of ice\.servers answered .* credentials/);
    }
    const least = Math.min(...all.map(({ ms }) => ms));
    console.log(`# wrong credential: ${Math.round(least)} ms`);
    // The page waits 2 s for an answer.
    assert.ok(least < 2000, `${least} ms`);
});

test("a STUN server shows the address in front of a router, and ports stay in udp_ports", async () => {
    const program = fileURLToPath(new URL("router.mjs", import.meta.url));
    const [command, ...rest] = [...network.onVisitor, process.execPath, program, VISITOR, "3478"];
    const router = spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
    try {
        const [port] = await Promise.race([once(router.stdout, "data"), once(router, "close")]);
        await device(`servers = [{ urls = ["stun:${VISITOR}:${`${port}`.trim()}"] }]\nudp_ports = "50000-50009"`);
        const { status, answer, ...seen } = await page.evaluate(meets, {});
        assert.equal(status, 201, answer);
        isMovingPicture(seen);
        const found = candidates(answer);
        const reflexive = found.filter(({ type, transport }) => type === "srflx" && transport === "udp");
        assert.deepEqual(reflexive.map(({ address }) => address), [VISITOR], answer);
        const own = found.filter(({ type, passive }) => type === "host" && passive);
        assert.ok(own.length > 0, answer);
        const outside = (port) => port < 50_000 || port > 50_009;
        assert.deepEqual(own.filter(({ port, transport }) => transport === "udp" && outside(port)), []);
        const open = udpPorts(signpost.pid);
        assert.ok(open.length > 0);
        assert.deepEqual(open.filter(outside), []);
    } finally {
        router.stdin.end();
    }
});

/** UDP ports that the network of a process has open. */
function udpPorts(pid) {
    const lines = ["udp", "udp6"].flatMap((name) => readFileSync(`/proc/${pid}/net/${name}`, "utf8").split("\n").slice(1));
    return lines.filter(Boolean).map((line) => parseInt(line.trim().split(/\s+/)[1].split(":")[1], 16));
}

for (const [kind, servers] of [
    ["silent", [`stun:${NOBODY}:3478`, `stun:${NOBODY}:3479`, `turn:${NOBODY}:3478`]],
    ["unknown", ["stun:stun.example.invalid", "stun:other.example.invalid", "turn:turn.example.invalid"]],
]) {
    test(`two STUN servers and a TURN server that are ${kind} do not hold an answer up`, async () => {
        const urls = servers.map((url) => JSON.stringify(url)).join(", ");
        await device(`servers = [{ urls = [${urls}], username = "a", credential = "b" }]`);
        const answers = await page.evaluate(offers, 5);
        assert.deepEqual(answers.map(({ status }) => status), Array(5).fill(201), answers[0].text);
        const times = answers.map(({ ms }) => Math.round(ms)).sort((a, b) => a - b);
        console.log(`# ${kind} servers: answers after ${times.join(", ")} ms`);
        assert.ok(candidates(answers[0].text).some(({ type }) => type === "host"));
        // 300 ms of waiting, the rest is this machine; the page waits 2 s for an answer.
        assert.ok(times[2] < 2000, `answers after ${times.join(", ")} ms`);
    });
}
