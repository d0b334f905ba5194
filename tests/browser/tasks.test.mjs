// What the page shows of models of every task: boxes, words where nothing is seen, and why
// there are few results.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { seesMovingPicture } from "./sights.mjs";
import { Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

const BUNDLES = fileURLToPath(new URL("../bundles/", import.meta.url));
/** Where tests/bundles/make.py puts the things of the clip. */
const SIDES = { left: "DISC", right: "SQUARE" };
/** The model's own error and a few frames of movement, in shares of the canvas. */
const NEAR = 0.03;
/** The clip takes 5 s, so that each of its scenes comes many times. */
const SCENE_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 50;

let browser;

before(async () => {
    browser = await launch();
});

after(() => browser?.close());

const clip = (name) => `file:${join(BUNDLES, name, "golden.mp4")}`;

/** A device that reads with a bundle of tests/bundles, until `use` is done with it. */
async function reading(name, source, use) {
    const signpost = await Signpost.start(["--open", "--source", source, "--listen", "127.0.0.1:0"], {
        env: { SIGNPOST_MODEL__BUNDLE: join(BUNDLES, name) },
    });
    try {
        await use(signpost);
    } finally {
        await signpost.stop();
    }
}

/** Runs in the page before its own scripts: keeps what is written on a canvas until it is cleared. */
function keepNames() {
    const { prototype } = CanvasRenderingContext2D;
    const { clearRect, fillText } = prototype;
    window.names = [];
    prototype.clearRect = function (...area) {
        window.names = [];
        return clearRect.apply(this, area);
    };
    prototype.fillText = function (text, x, y) {
        const { actualBoundingBoxLeft, actualBoundingBoxRight, actualBoundingBoxAscent, actualBoundingBoxDescent } =
            this.measureText(text);
        window.names.push({
            text,
            left: x - actualBoundingBoxLeft,
            right: x + actualBoundingBoxRight,
            top: y - actualBoundingBoxAscent,
            bottom: y + actualBoundingBoxDescent,
        });
        return fillText.call(this, text, x, y);
    };
}

/**
 * Runs in the page: for each half of the picture, in shares of the canvas, where the bright thing
 * of the clip is, where a box is drawn, and what is written in letters that can be seen.
 */
function halves() {
    const canvas = document.getElementById("overlay");
    const video = document.getElementById("video");
    const { width, height } = canvas;
    const pixels = (source, ...place) => {
        const context = new OffscreenCanvas(width, height).getContext("2d");
        context.drawImage(source, ...place);
        return context.getImageData(0, 0, width, height).data;
    };
    const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
    const [wide, high] = [video.videoWidth * scale, video.videoHeight * scale];
    const picture = pixels(video, (width - wide) / 2, (height - high) / 2, wide, high);
    const drawn = pixels(canvas, 0, 0);

    /** The edges of all pixels of an area that are of a kind, if there are any. */
    const edges = (data, area, isKind) => {
        const found = { left: 1, top: 1, right: 0, bottom: 0 };
        for (let y = Math.ceil(area.top); y < area.bottom; y += 1) {
            for (let x = Math.ceil(area.left); x < area.right; x += 1) {
                const i = 4 * (y * width + x);
                if (!isKind(data[i], data[i + 1], data[i + 2])) continue;
                found.left = Math.min(found.left, x / width);
                found.right = Math.max(found.right, x / width);
                found.top = Math.min(found.top, y / height);
                found.bottom = Math.max(found.bottom, y / height);
            }
        }
        return found.right > 0 ? found : undefined;
    };
    const isBright = (r, g, b) => Math.min(r, g, b) > 140;
    const isLine = (r, g, b) => r < 130 && g > 170 && b > 130;
    const half = (left, right) => {
        const area = { left, right, top: 0, bottom: height };
        const names = window.names.filter((name) => name.left >= left && name.left < right);
        const canBeSeen = (name) => edges(drawn, name, isBright) !== undefined;
        return {
            thing: edges(picture, area, isBright),
            box: edges(drawn, area, isLine),
            names: names.filter(canBeSeen).map(({ text }) => text),
        };
    };
    return { left: half(0, width / 2), right: half(width / 2, width) };
}

/** Whether a half shows a thing in its box and under its name; without a label, none of them. */
function fits({ thing, box, names }, label) {
    if (!label) return !thing && !box && names.length === 0;
    const lies = thing && box && Object.keys(thing).every((edge) => Math.abs(thing[edge] - box[edge]) < NEAR);
    return Boolean(lies) && names.length === 1 && names[0] === label;
}

/** Waits until exactly the things of these labels are seen, each in its box and under its name. */
async function seesBoxes(viewer, labels) {
    const deadline = performance.now() + SCENE_LIMIT_MS;
    for (;;) {
        const seen = await viewer.page.evaluate(halves);
        if (Object.entries(SIDES).every(([side, label]) => fits(seen[side], labels.includes(label) && label))) return;
        assert.ok(performance.now() < deadline, `not ${JSON.stringify(labels)}: ${JSON.stringify(seen)}`);
        await viewer.page.waitForTimeout(LOOK_EVERY_MS);
    }
}

test("what a detector finds is drawn in a box round it, with its name", async () => {
    const { frames } = JSON.parse(readFileSync(join(BUNDLES, "shapes-anchors/expected.json"), "utf8"));
    assert.ok(frames.some(({ labels }) => labels.length === 2));
    await reading("shapes-anchors", clip("shapes-anchors"), async ({ url }) => {
        // Beside the picture of one of them there are bars, and the other's pixels are small.
        const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 3 };
        for (const options of [{}, phone]) {
            const viewer = await Viewer.open(browser, url, { script: keepNames, ...options });
            await viewer.connects();
            for (const { labels } of frames) await seesBoxes(viewer, labels);
            await viewer.until('/^(DISC|SQUARE)$/.test(document.getElementById("sign").textContent)');
            assert.deepEqual(viewer.complaints, []);
            await viewer.close();
        }
    });
});

/** Runs in the page: the names that its overlay writes for boxes at all edges of a picture with bars beside it. */
async function namesAtEdges() {
    const { Overlay } = await import("/page/overlay.js");
    const canvas = Object.assign(document.createElement("canvas"), { width: 720, height: 300 });
    const boxes = [[0, 0, 0.1, 0.1], [0.9, 0, 1, 0.1], [0, 0.9, 0.1, 1], [0.9, 0.9, 1, 1], [0.45, 0.45, 0.5, 0.5]];
    const prediction = { hands: [], boxes: boxes.map((box) => ({ label: "SQUARE", box })) };
    const step = { prediction, age_ms: 0 };
    const steps = { arrive() {}, newest: () => step };
    const video = { videoWidth: 400, videoHeight: 300 };
    const picture = { video, steps, framesAreNamed: false, hold() {}, remove() {} };
    const overlay = new Overlay(canvas);
    overlay.show(picture);
    overlay.prediction(picture, prediction);
    return window.names;
}

test("a name stays within the picture, wherever its box is", async () => {
    await reading("shapes-anchors", "test", async ({ url }) => {
        // Without its script, the page writes no names of its own.
        const viewer = await Viewer.open(browser, "about:blank", { script: keepNames });
        await viewer.page.route("**/page/live.js", (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
        await viewer.page.goto(url);
        const names = await viewer.page.evaluate(namesAtEdges);
        assert.equal(names.length, 5);
        for (const { left, top, right, bottom } of names) {
            const isWithin = left >= 160 && right <= 560 && top >= 0 && bottom <= 300;
            assert.ok(isWithin, `a name is at ${[left, top, right, bottom]}, and the picture at 160,0,560,300`);
        }
        await viewer.close();
    });
});

test("where nothing is seen, the words are those of the model's task", async () => {
    for (const [name, source, said] of [
        ["colour-uint8", clip("colour-uint8"), "nothing that the model knows"],
        ["motion-time", clip("motion-time"), "nothing that the model knows"],
        ["shapes-anchors", clip("shapes-anchors"), "nothing that the model knows"],
        ["hands", clip("colour-uint8"), "no hand in the picture"],
        ["hands", clip("hands"), "no sign"],
    ]) {
        await reading(name, source, async ({ url }) => {
            const viewer = await Viewer.open(browser, url);
            await viewer.connects();
            const told = (id, text) => `document.getElementById("${id}").textContent === ${JSON.stringify(text)}`;
            await viewer.until(`${told("score", said)} && ${told("sign", "–")}`);
            await viewer.close();
        });
    }
});

/** Waits until the page tells, after how many results there are, why they are so few. The picture goes on. */
async function isToldWhy(viewer, reason) {
    await viewer.connects();
    const told = new RegExp(`^\\d+\\.\\d a second(, \\d+ skipped)?; ${reason}$`);
    await viewer.until(`${told}.test(document.getElementById("detail-recognition").textContent)`);
    await seesMovingPicture(viewer);
    assert.equal(await viewer.page.locator("#problem").isVisible(), false);
}

test("a device that is too slow for its model says so, and the picture goes on", async () => {
    await reading("slow", "test", async ({ url }) => {
        const viewer = await Viewer.open(browser, url);
        await isToldWhy(viewer, "this device is too slow for the model: take a smaller one, or raise model.threads");
        await viewer.close();
    });
});

test("a model that hangs is told as that, and nothing is said of what it might see", async () => {
    await reading("blocked", "test", async ({ url }) => {
        const viewer = await Viewer.open(browser, url);
        await isToldWhy(viewer, "the model is busy with one picture for more than 2 s");
        for (const id of ["score", "detail-overlay"]) {
            await viewer.until(`document.getElementById("${id}").textContent === "no results"`);
        }
        await viewer.close();
    });
});
