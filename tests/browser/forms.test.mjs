// Settings as fields, diagnoses as steps, and figures as series: what is pure of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule, randomNumbers } from "./modules.mjs";

const { complaints, fields, shown, taken, wish } = await pageModule("forms.js");
const { kept } = await pageModule("journal.js");
const { aligned, largest, LENGTH, ofDevice, placed, seen, stepFor, summary } = await pageModule("series.js");
const { steps, verdict } = await pageModule("verdict.js");
const { pagesFor } = await pageModule("shell.js");

const CONFIG = {
    values: {
        encoder: { bitrate_kbps: 2500, low_rendition: true, prefer: "auto" },
        camera: [{ name: "door", width: 1280 }, { name: "yard", width: 640 }],
        sessions: { reconnect_waits_s: [1, 2] },
        ice: { servers: ["stun:a:1", { urls: ["turn:b:2"], username: "u", credential: "c" }] },
    },
    origins: { "encoder.prefer": "environment variable SIGNPOST_ENCODER__PREFER", "camera[1].width": "default" },
    keys: {
        "encoder.bitrate_kbps": { kind: "number", min: 100, max: 20000, default: 2500 },
        "encoder.low_rendition": { kind: "flag", default: true },
        "encoder.prefer": { kind: "word", words: ["auto", "x264enc"], default: "auto" },
        "camera.name": { kind: "text", default: "camera", shut: "why" },
        "camera.width": { kind: "even", min: 160, max: 3840, default: 1280 },
        "sessions.reconnect_waits_s": { kind: "list", default: [1, 2, 4] },
        "ice.servers": { kind: "list", default: [] },
    },
};

test("a section becomes fields, with what cannot be changed from here", () => {
    const list = fields(CONFIG, "encoder");
    assert.deepEqual(list.map(({ key, held }) => [key, Boolean(held)]), [
        ["encoder.bitrate_kbps", false], ["encoder.low_rendition", false], ["encoder.prefer", true],
    ]);
    assert.deepEqual(fields(CONFIG, "camera", { index: 1 }).map(({ key, shut }) => [key, shut]), [
        ["camera[1].name", "why"], ["camera[1].width", undefined],
    ]);
    assert.deepEqual(fields(CONFIG, "nothing"), []);
    assert.deepEqual(fields({ ...CONFIG, keys: undefined }, "encoder"), [], "a device that tells no keys");
});

test("what stands in a field is what it was, and nothing is sent", () => {
    for (const section of ["encoder", "sessions", "ice"]) {
        const list = fields(CONFIG, section);
        const texts = Object.fromEntries(list.map((field) => [field.key, shown(field)]));
        for (const field of list) assert.deepEqual(taken(field, texts[field.key]), field.value, field.key);
        assert.equal(wish(section, list, texts), undefined);
    }
});

test("only what differs is sent, for the camera that is meant", () => {
    const encoder = fields(CONFIG, "encoder");
    assert.deepEqual(wish("encoder", encoder, { "encoder.bitrate_kbps": "1500" }), { encoder: { bitrate_kbps: 1500 } });
    const camera = fields(CONFIG, "camera", { index: 1 });
    assert.deepEqual(wish("camera", camera, { "camera[1].width": "320" }, 1), { camera: [{}, { width: 320 }] });
});

test("what is no number goes as it is, so that the device says what is wrong", () => {
    const [bitrate] = fields(CONFIG, "encoder");
    for (const text of ["much", "", "1e", " "]) assert.equal(taken(bitrate, text), text);
    assert.equal(taken(bitrate, " 300 "), 300);
});

test("lists are read line by line, servers with user and credential", () => {
    const [waits] = fields(CONFIG, "sessions");
    assert.deepEqual(taken(waits, "1\n0.5, 4\n"), [1, 0.5, 4]);
    const [servers] = fields(CONFIG, "ice");
    assert.deepEqual(taken(servers, "stun:x:3478\nturn:y:1 turns:y:2 user secret"), [
        "stun:x:3478", { urls: ["turn:y:1", "turns:y:2"], username: "user", credential: "secret" },
    ]);
});

test("each sentence of a refusal stands at its field, and the others are told too", () => {
    const detail = "the configuration has 3 problems:\n  changed at run time: camera.width = 7: allowed is an even number from 160 to 3840\n" +
        "  changed at run time: encoder.bitrate_kbps = 5: allowed is a whole number\n  the moon is full";
    const { byKey, rest } = complaints({ detail, hint: "nothing was changed" }, ["encoder.bitrate_kbps", "camera.width"]);
    assert.deepEqual(byKey, {
        "camera.width": "camera.width = 7: allowed is an even number from 160 to 3840",
        "encoder.bitrate_kbps": "encoder.bitrate_kbps = 5: allowed is a whole number",
    });
    assert.deepEqual(rest, ["the moon is full", "nothing was changed"]);
});

test("a role is shown the pages that it can open", () => {
    const names = (role) => pagesFor(role).map(({ name }) => name);
    assert.deepEqual(names("viewer"), ["live", "settings", "trust"]);
    assert.deepEqual(names("operator"), ["live", "settings", "diagnostics", "trust"]);
    assert.deepEqual(names("administrator"), names("operator"));
    assert.deepEqual(names("somebody new"), []);
});

test("lines of the log are kept by how serious they are and what they say", () => {
    const lines = [
        { priority: 3, message: "Gave up", part: "camera" },
        { priority: 6, message: "viewer gone", fields: { session: "AB12" } },
        { priority: 7, message: "a step" },
    ];
    assert.deepEqual(kept(lines, 4, "").length, 1);
    assert.deepEqual(kept(lines, 6, "ab12").map(({ priority }) => priority), [6]);
    assert.deepEqual(kept(lines, 7, "").length, 3);
});

test("series are of one length, whatever comes", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
        const random = randomNumbers(seed);
        const values = Array.from({ length: Math.floor(random() * 700) }, () => (random() < 0.3 ? null : random() * 100));
        const list = aligned(values);
        assert.equal(list.length, LENGTH);
        assert.deepEqual(list.slice(-Math.min(values.length, LENGTH)), values.slice(-LENGTH));
        const known = summary(list);
        if (known) assert.ok(known.least <= known.mean && known.mean <= known.most);
    }
    assert.equal(summary(aligned([])), undefined);
});

test("an axis has few steps that a person can read", () => {
    for (const most of [0.003, 0.9, 1, 7, 30, 99, 2500, 1e6]) {
        const step = stepFor(most);
        assert.ok(most / step <= 4.0001 && most / step > 1, `${most}: ${step}`);
        assert.match(step.toExponential(), /^[125]e/, `${most}: ${step}`);
    }
});

test("the device's columns find their place, also of a viewer who came later", () => {
    const history = {
        first: 0, next: 4,
        cameras: [{ fps: [30, 29, null, 30], capture_ms: { median: [1, 2, 3, 4], max: [9, 9, 9, 9] } }],
        recognition: { results_per_s: [1, 1, 1, 1] },
        connections: [{ from: 0, loss: [0.5, 0], rtt_ms: [1, 1] }, { from: 2, loss: [0.1, 0.2], rtt_ms: [7, 8] }],
    };
    const { captured, capture, lost, roundTrip, vp8 } = ofDevice(history);
    assert.deepEqual(captured.slice(-4), [30, 29, null, 30]);
    assert.deepEqual(capture.slice(-2), [3, 4]);
    assert.deepEqual(lost.slice(-4), [50, 0, 10, 20]);
    assert.deepEqual(roundTrip.slice(-4), [1, 1, 7, 8]);
    assert.equal(vp8, undefined);
    assert.deepEqual(ofDevice(undefined), {});
    assert.deepEqual(largest([placed([1], 0, 2), placed([5], 1, 2)]).slice(-2), [1, 5]);
});

test("what a browser does not count is unknown and not nothing", () => {
    const before = { packets: 100, lost: 0, bytes: 1000, decoded: 10, decode_s: 1, held_s: 2, emitted: 10, roundTrip_ms: 4 };
    const after = { packets: 190, lost: 10, bytes: 26_000, decoded: 70, decode_s: 1.3, held_s: 3.2, emitted: 70, roundTrip_ms: 6 };
    const figures = seen(before, after, 2000);
    assert.deepEqual([figures.kbps, figures.loss, figures.fps, figures.rtt_ms], [100, 10, 30, 6]);
    assert.ok(Math.abs(figures.decode_ms - 5) < 1e-6 && Math.abs(figures.network_ms - 23) < 1e-6);
    const nothing = seen({}, {}, 2000);
    assert.deepEqual(Object.values(nothing), [null, null, null, null, null, null]);
});

const ALL = { answered: 10, path: 20, secured: 40, picture: 90, channel: 50, echo: 3, prediction: 120 };

test("a connection that does all passes all, and what comes out of order costs nothing", () => {
    const list = steps({ marks: ALL, camera: "live", recognises: true });
    assert.deepEqual(list.map((step) => step.verdict), Array(7).fill("pass"));
    assert.deepEqual(list.map((step) => step.took_ms), [10, 10, 20, 50, 0, 3, 30]);
    assert.equal(list.find((step) => step.verdict !== "pass"), undefined);
});

test("the first that fails is told with what to do, and what needs it is skipped", () => {
    const marks = { answered: 10 };
    const list = steps({ marks, camera: "live", recognises: true });
    assert.deepEqual(list.map((step) => step.verdict), ["pass", "fail", "skipped", "skipped", "skipped", "skipped", "skipped"]);
    assert.match(list[1].hint, /UDP/);
    assert.match(verdict(list), /No path/);
    const refused = steps({ marks: {}, refusal: { detail: "all places are taken", hint: "wait" } });
    assert.deepEqual([refused[0].detail, refused[0].hint], ["all places are taken", "wait"]);
});

test("a camera that is away and a model that does not run are no fault of the connection", () => {
    const { picture, prediction, ...marks } = ALL;
    const list = steps({ marks, camera: "failed", recognises: false });
    assert.deepEqual(list.map((step) => step.verdict), ["pass", "pass", "pass", "skipped", "pass", "pass", "skipped"]);
    assert.ok(picture && prediction);
});
