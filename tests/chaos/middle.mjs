// The network itself: what the relay promises, measured with datagrams through it.
// A figure that fails here makes those of the other scenarios worthless.

import { spawn } from "node:child_process";
import { once } from "node:events";

import { QUEUE_BYTES } from "./network.mjs";
import { quantile, SHORT_S } from "./processes.mjs";

export const limit_s = () => SHORT_S;

/** Answers every datagram with its first 16 bytes. */
const ECHO = `
const socket = require("dgram").createSocket("udp4");
socket.on("message", (data, { port, address }) => socket.send(data.subarray(0, 16), port, address));
socket.bind(7000, () => console.log("ready"));
process.stdin.on("end", () => process.exit()).resume();
`;

/** Sends COUNT datagrams of BYTES, one every EVERY ms, and prints the ages of those that came back. */
const PROBE = `
const [count, bytes, every] = process.argv.slice(1).map(Number);
const socket = require("dgram").createSocket("udp4");
const ages = [];
socket.on("message", (data) => ages.push(performance.now() - data.readDoubleLE(0)));
const begun = performance.now();
let sent = 0;
const timer = setInterval(() => {
    for (; sent < count && performance.now() - begun >= sent * every; sent += 1) {
        const data = Buffer.alloc(bytes);
        data.writeDoubleLE(performance.now());
        socket.send(data, 7000, "192.0.2.1");
    }
    if (sent === count) {
        clearInterval(timer);
        setTimeout(() => { console.log(JSON.stringify(ages)); process.exit(); }, 1000);
    }
}, 1);
`;

async function probe(stage, visitor, count, bytes, every_ms) {
    const [program, ...rest] = [...stage.middle.on(visitor), process.execPath, "-e", PROBE, `${count}`, `${bytes}`, `${every_ms}`];
    const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
    stage.finally(() => child.kill());
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    await once(child, "close");
    return JSON.parse(said);
}

export async function run(stage) {
    const middle = await stage.network("ann", "ben");
    const [program, ...rest] = [...middle.onDevice, process.execPath, "-e", ECHO];
    const echo = spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] });
    stage.finally(() => echo.kill());
    await once(echo.stdout, "data");

    const idle = quantile(await probe(stage, "ann", 100, 100, 5), 0.5);
    const prompt = stage.choose(5, 1000);
    stage.row("round trip of an idle link, median", `<= ${prompt} ms${stage.coarse}`, `${idle.toFixed(2)} ms`, idle <= prompt);

    await middle.set("ann", "both", { delay_ms: 50 });
    const ages = await probe(stage, "ann", 200, 100, 5);
    const [least, middleAge] = [Math.min(...ages), quantile(ages, 0.5)];
    const most = stage.choose(110, 2000);
    stage.row("round trip with 50 ms each way, least and median", `100..${most} ms${stage.coarse}`, `${least.toFixed(1)}, ${middleAge.toFixed(1)} ms`, least >= 100 && middleAge <= most);
    const other = quantile(await probe(stage, "ben", 100, 100, 5), 0.5);
    stage.row("round trip of the other visitor meanwhile", `<= ${prompt} ms${stage.coarse}`, `${other.toFixed(2)} ms`, other <= prompt);

    await middle.set("ann", "both", { delay_ms: 0 });
    await middle.set("ann", "up", { loss: 0.05 });
    const [count, every_ms] = stage.choose([4000, 0.5], [1000, 2]);
    const lost = 1 - (await probe(stage, "ann", count, 100, every_ms)).length / count;
    // Three standard deviations of 4,000 throws: 1 %. A busy machine loses some by itself.
    const [from, to] = stage.choose([0.04, 0.06], [0.02, 0.6]);
    stage.row("loss of 5 %", `${100 * from}..${100 * to} %${stage.coarse}`, `${(100 * lost).toFixed(2)} %`, lost >= from && lost <= to);

    await middle.set("ann", "up", { loss: 0, rate_bps: 1_000_000, queue_bytes: QUEUE_BYTES });
    const before = (await middle.stats()).ann.up;
    // 2 Mbit/s for 4 s against a bottleneck of 1.
    await probe(stage, "ann", 1000, 972, 4);
    const after = (await middle.stats()).ann.up;
    const kbit = (8 * (after.bytes - before.bytes)) / 1000;
    // What the queue holds at the end comes on top.
    const expected = 4000 + (8 * QUEUE_BYTES) / 1000;
    const share = stage.choose(0.03, 0.5);
    stage.row("through 1 Mbit/s in 4 s, with the queue", `${expected} kbit within ${100 * share} %${stage.coarse}`, `${kbit.toFixed(0)} kbit`, Math.abs(kbit / expected - 1) <= share);
    stage.row("dropped at its queue", "> 0", after.overflowed - before.overflowed, after.overflowed > before.overflowed);

    await middle.set("ann", "up", { rate_bps: 0, outage: "on" });
    const through = (await probe(stage, "ann", 50, 100, 5)).length;
    stage.row("datagrams through an outage", "0", through, through === 0);
}
