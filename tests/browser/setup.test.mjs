// The first start, as systemd starts it: no password, HTTPS with the device's own
// certificate, a set-up code.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { binary, Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

const PASSWORD = "quiet-river-7431";
const ADDRESSES = ["--listen", "127.0.0.1:0", "--listen-https", "127.0.0.1:0"];

let browser;
let folder;
let env;
let signpost;

before(async () => {
    browser = await launch();
});

after(async () => {
    await browser?.close();
});

beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "signpost-setup-"));
    env = { STATE_DIRECTORY: folder };
    signpost = await Signpost.start(["--source", "demo", ...ADDRESSES], { env });
});

afterEach(async () => {
    await signpost?.stop();
    if (folder) rmSync(folder, { recursive: true });
});

function command(name, input = "") {
    return execFileSync(binary, [name], { input, env: { ...process.env, ...env }, encoding: "utf8" });
}

/** A line of the log, as soon as it is there. */
async function journal(form) {
    for (const deadline = performance.now() + 30_000; performance.now() < deadline; await delay(50)) {
        const line = signpost.log.find((line) => form.test(line));
        if (line) return form.exec(line);
    }
    throw new Error(`no ${form} in the log:\n${signpost.log.join("\n")}`);
}

/** Opens what a new user types: HTTP, whose page leads to HTTPS. */
async function open() {
    const viewer = await Viewer.open(browser, signpost.url, { ignoreHTTPSErrors: true });
    assert.equal(new URL(viewer.page.url()).href, new URL("/setup", signpost.secure).href);
    return viewer;
}

const showsPicture = () => window.signpost?.stats.frames > 3;

test("the set-up asks for the code, and then the picture is there", async () => {
    const told = await journal(/set-up code (\S+), at (\S+), certificate SHA-256 (\S+)/);
    const printed = command("setup-code");
    for (const part of [told[1], told[3]]) assert.ok(printed.includes(part), printed);
    const code = told[1];

    const { page, complaints } = await open();
    await page.getByLabel("Set-up code").fill("0000-0000");
    await page.getByLabel("Password of admin").fill(PASSWORD);
    await page.getByLabel("Once more").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "code" }).waitFor();
    assert.match(await page.locator("#wrong").textContent(), /code/);

    // A password of a list is refused, and the code still counts.
    await page.getByLabel("Set-up code").fill(` ${code.toLowerCase()} `);
    for (const label of ["Password of admin", "Once more"]) await page.getByLabel(label).fill("password1");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => /too common/.test(document.getElementById("wrong").textContent));

    await page.getByLabel("Password of admin").fill(PASSWORD);
    await page.getByLabel("Once more").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL(new URL("/", signpost.secure).href);
    await page.waitForFunction(showsPicture);

    // Chromium itself writes every 401 and 422 to the console.
    assert.deepEqual(complaints.filter((line) => !/40[1]|422/.test(line)), []);
    assert.throws(() => readFileSync(join(folder, "setup-code")), { code: "ENOENT" });
    assert.throws(() => command("setup-code"), /this device is set up/);
});

test("the page goes on by itself when a password is set with a terminal", async () => {
    const { page } = await open();
    command("password", `${PASSWORD}\n`);
    await page.waitForURL(new URL("/login", signpost.secure).href);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL(new URL("/", signpost.secure).href);
    await page.waitForFunction(showsPicture);
});
