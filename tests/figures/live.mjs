// Figures of the live view, against the goals: node tests/figures/live.mjs, or ./dev figures.
//
// Server and browser run on one machine and share its cores and its clock, so CPU
// and latency are pessimistic: a real viewer decodes elsewhere.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { Signpost } from "../browser/signpost.mjs";
import { launch, Viewer } from "../browser/viewer.mjs";

const SETTLE_S = 8;
const MEASURE_S = 20;
const VIEWERS_IN_TURN = 12;
const DEMO = new URL("../../models/fingerspelling/golden.mp4", import.meta.url).pathname;

const rows = [];

/** `met`: whether the goal is reached, where there is one. */
function report(figure, measured, goal = "", met = true) {
    rows.push({ figure, measured, goal, met });
}

function quantile(values, share) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const inMs = (values) => `${quantile(values, 0.5).toFixed(0)} ms, 95 %: ${quantile(values, 0.95).toFixed(0)} ms`;

async function memory(pid) {
    const text = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+)/m.exec(text)[1]) / 1024;
}

/** Seconds of CPU that a process has used. */
async function cpu(pid) {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Runs in the page before its own scripts: keeps what the predictions say. */
function keepPredictions() {
    window.seen = [];
    const create = RTCPeerConnection.prototype.createDataChannel;
    RTCPeerConnection.prototype.createDataChannel = function (label, options) {
        window.peer = this;
        const channel = create.call(this, label, options);
        if (label === "predictions") {
            channel.addEventListener("message", ({ data }) => {
                const { timing_ms, seq } = JSON.parse(data);
                window.seen.push({ seq, capture_to_result: timing_ms.capture_to_result });
            });
        }
        return channel;
    };
}

/**
 * Runs in the page: reads the time of capture out of the picture of every frame
 * for some seconds (the code is described in src/camera/barcode.rs), and
 * resolves to ages in ms.
 */
function readBarcodes(seconds) {
    const video = document.getElementById("video");
    const canvas = new OffscreenCanvas(320, 8);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const ages = { presented: [], displayed: [], unread: 0 };
    const read = () => {
        const side = video.videoWidth / 40;
        context.drawImage(video, 0, side, 40 * side, side, 0, 0, 320, 8);
        const { data } = context.getImageData(0, 4, 320, 1);
        const bytes = [0, 0, 0, 0];
        for (let bit = 0; bit < 32; bit += 1) {
            // The code is in the luma alone; the colours are those of the test picture.
            const middle = 4 * (8 * (4 + bit) + 4);
            const luma = 0.299 * data[middle] + 0.587 * data[middle + 1] + 0.114 * data[middle + 2];
            if (luma > 127) bytes[bit >> 3] |= 0x80 >> (bit & 7);
        }
        const [a, b, c, check] = bytes;
        return (((a + b + c) & 255) ^ 0x5a) === check ? (a << 16) | (b << 8) | c : undefined;
    };
    const age = (time, captured) => (Math.round(performance.timeOrigin + time) - captured) & 0xffffff;
    return new Promise((resolve) => {
        const end = performance.now() + seconds * 1000;
        const frame = (now, { presentationTime, expectedDisplayTime }) => {
            const captured = read();
            if (captured === undefined) ages.unread += 1;
            else {
                ages.presented.push(age(presentationTime, captured));
                ages.displayed.push(age(expectedDisplayTime, captured));
            }
            if (now > end) resolve(ages);
            else video.requestVideoFrameCallback(frame);
        };
        video.requestVideoFrameCallback(frame);
    });
}

async function measuring(viewer) {
    await viewer.page.waitForTimeout(SETTLE_S * 1000);
    await viewer.page.evaluate(() => (window.seen.length = 0));
    return viewer.stats();
}

/** The demo clip in 720p30, as a file. */
async function demoIn720p(folder) {
    const clip = join(folder, "demo-720p.mp4");
    const scaled = "videoconvertscale add-borders=true ! video/x-raw,width=1280,height=720,pixel-aspect-ratio=1/1";
    const coded = "x264enc bframes=0 pass=qual quantizer=19 speed-preset=veryfast ! mp4mux";
    const text = `filesrc location=${DEMO} ! decodebin ! ${scaled} ! ${coded} ! filesink location=${clip}`;
    await promisify(execFile)("gst-launch-1.0", ["-q", ...text.split(" ")]);
    return clip;
}

/** Frames that the browser has received and decoded. */
function decoder() {
    return window.peer.getStats().then((report) => {
        const video = [...report.values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
        const { framesReceived, framesDecoded, frameHeight } = video;
        return { framesReceived, framesDecoded, frameHeight };
    });
}

/** 720p30 with one viewer. */
async function throughput(browser, signpost) {
    const viewer = await Viewer.open(browser, "about:blank");
    await viewer.page.addInitScript(keepPredictions);
    await viewer.page.goto(signpost.url);
    await viewer.connects();
    const before = await measuring(viewer);
    const coded = await viewer.page.evaluate(decoder);
    const [cpuBefore, begun] = [await cpu(signpost.pid), performance.now()];
    await viewer.page.waitForTimeout(MEASURE_S * 1000);
    const seconds = (performance.now() - begun) / 1000;
    const after = await viewer.stats();
    const { framesReceived, framesDecoded, frameHeight } = await viewer.page.evaluate(decoder);
    const seen = await viewer.page.evaluate(() => window.seen);
    const fps = (after.frames - before.frames) / seconds;
    const rate = seen.length / seconds;
    const results = seen.map((one) => one.capture_to_result);
    const resident = await memory(signpost.pid);
    const received = (framesReceived - coded.framesReceived) / seconds;
    const decoded = (framesDecoded - coded.framesDecoded) / seconds;
    report("height of the picture", `${frameHeight}`, "720", frameHeight === 720);
    report("frames a second received", received.toFixed(1), "30", received > 29.5);
    report("frames a second decoded", decoded.toFixed(1), "30", decoded > 29.5);
    report("frames a second presented", fps.toFixed(1), "30", fps > 29.5);
    report("results a second", rate.toFixed(1), ">= 15", rate >= 15);
    report("capture_to_result, median", inMs(results), "<= 60 ms, 95 %: 120 ms", quantile(results, 0.5) <= 60 && quantile(results, 0.95) <= 120);
    const [hits, misses] = [after.hits - before.hits, after.misses - before.misses];
    report("predictions there with their frame", `${((100 * hits) / (hits + misses)).toFixed(1)} %`);
    report("CPU of the program, cores", (((await cpu(signpost.pid)) - cpuBefore) / seconds).toFixed(2));
    report("resident memory, model and one viewer", `${resident.toFixed(0)} MB`, "<= 200 MB", resident <= 200);
    await viewer.close();
    await answers(browser, signpost);
}

/** Viewers one after the other, once everything is warm. */
async function answers(browser, signpost) {
    const toPicture = [];
    const toAnswer = [];
    for (let i = 0; i < VIEWERS_IN_TURN; i += 1) {
        const viewer = await Viewer.open(browser, signpost.url);
        await viewer.connects();
        toPicture.push((await viewer.stats()).offer_to_picture_ms);
        toAnswer.push(
            await viewer.page.evaluate(() => {
                const offers = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/offer"));
                return offers[0].responseEnd - offers[0].requestStart;
            }),
        );
        await viewer.close();
    }
    report("answer time, median", inMs(toAnswer), "<= 50 ms", quantile(toAnswer, 0.5) <= 50);
    report("offer to first picture, median", inMs(toPicture), "<= 300 ms", quantile(toPicture, 0.5) <= 300);
}

/** The test picture carries its time of capture. */
async function latency(browser, signpost) {
    const viewer = await Viewer.open(browser, "about:blank");
    await viewer.page.addInitScript(keepPredictions);
    await viewer.page.goto(signpost.url);
    await viewer.connects();

    await viewer.page.getByLabel("Lowest latency").check();
    await measuring(viewer);
    const fast = await viewer.page.evaluate(readBarcodes, MEASURE_S);
    report("capture to presentation, lowest latency, median", inMs(fast.presented), "<= 80 ms", quantile(fast.presented, 0.5) <= 80);
    report("capture to expected display, lowest latency, median", inMs(fast.displayed));

    await viewer.page.getByLabel("Lowest latency").uncheck();
    await measuring(viewer);
    const held = await viewer.page.evaluate(readBarcodes, MEASURE_S);
    const results = await viewer.page.evaluate(() => window.seen.map((one) => one.capture_to_result));
    const longest = quantile(results, 0.5) + 40;
    report("capture to presentation, in step, median", inMs(held.presented), `<= ${longest.toFixed(0)} ms (capture_to_result + 40)`,
        quantile(held.presented, 0.5) <= longest);
    report("capture to expected display, in step, median", inMs(held.displayed));
    report("bar codes that could not be read", `${fast.unread + held.unread}`, "0", fast.unread + held.unread === 0);
    await viewer.close();
}

/** Starts the program, measures, and ends it whatever happens. */
async function measure(source, work) {
    const signpost = await Signpost.start(["--open", "--source", source, "--listen", "127.0.0.1:0"]);
    try {
        await work(browser, signpost);
    } finally {
        await signpost.stop();
    }
}

const browser = await launch();
const folder = await mkdtemp(join(tmpdir(), "signpost-figures-"));
try {
    await measure(`file:${await demoIn720p(folder)}`, throughput);
    await measure("test", latency);
} finally {
    await browser.close();
    await rm(folder, { recursive: true });
}
if (process.argv.includes("--json")) console.log(JSON.stringify(rows));
else console.table(rows);
if (rows.some(({ met }) => !met)) process.exitCode = 1;
