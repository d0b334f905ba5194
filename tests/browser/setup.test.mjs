// The first start, as systemd starts it: no password, HTTPS with the device's own
// certificate, a set-up code.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { binary, Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

const PASSWORD = "quiet-river-7431";
/** A model is tried in a process of its own before it reads. */
const TRIAL_MS = 120_000;
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

test("a new user goes from the set-up code to the support bundle, and needs no other tool", async () => {
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

    assert.throws(() => readFileSync(join(folder, "setup-code")), { code: "ENOENT" });
    assert.throws(() => command("setup-code"), /this device is set up/);

    await page.getByRole("button", { name: "Log out" }).click();
    await logsIn(page, PASSWORD);
    await changesASetting(page);
    await activatesAModel(page);
    await diagnoses(page);
    await takesTheBundle(page, [code, PASSWORD]);
    // Chromium itself writes every 401 and 422 to the console.
    assert.deepEqual(complaints.filter((line) => !/401|422/.test(line)), []);
});

async function logsIn(page, password, user) {
    await page.waitForURL(new URL("/login", signpost.secure).href);
    if (user) await page.getByLabel("User").fill(user);
    await page.getByLabel("Password").fill(password);
    await page.keyboard.press("Enter");
    await page.waitForURL(new URL("/", signpost.secure).href);
    await page.waitForFunction(showsPicture);
}

async function changesASetting(page) {
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByLabel("Bit rate", { exact: true }).fill("1800");
    await page.locator("#encoder").getByRole("button", { name: "Save" }).click();
    await page.locator("#encoder .outcome", { hasText: "in force" }).waitFor();
}

/** Brings a copy of the model under another name, as an integrator would bring one. */
async function activatesAModel(page) {
    const copy = join(folder, "copy");
    // What it was trained with is no part of the bundle.
    const filter = (path) => !path.endsWith("/train");
    cpSync(fileURLToPath(new URL("../../models/fingerspelling", import.meta.url)), copy, { recursive: true, filter });
    const manifest = join(copy, "manifest.toml");
    writeFileSync(manifest, readFileSync(manifest, "utf8").replace(/^name = .*$/m, 'name = "brought"'));
    const archive = join(folder, "brought.tar.gz");
    execFileSync("tar", ["-czf", archive, "-C", copy, "."]);
    await page.getByLabel("Bring another model").setInputFiles(archive);
    await page.getByRole("button", { name: "Bring", exact: true }).click();
    await page.locator("#model .outcome", { hasText: "brought 1 is stored" }).waitFor({ timeout: TRIAL_MS });
    await page.getByRole("button", { name: "Use: brought 1" }).click();
    await page.locator("#model .outcome", { hasText: "brought 1 reads now" }).waitFor({ timeout: TRIAL_MS });
}

async function diagnoses(page) {
    await page.getByRole("link", { name: "Diagnostics" }).click();
    await page.locator('#connection [data-state="decoded"]').first().waitFor();
    for (const name of ["Test the connection", "Check the configuration", "Read the golden clip"]) {
        await page.getByRole("button", { name }).click();
        await page.locator("#tests .outcome", { hasText: "All is well." }).waitFor({ timeout: TRIAL_MS });
        assert.equal(await page.locator('#tests li:not([data-verdict="pass"])').count(), 0, name);
    }
}

/** The archive, in which nothing stands that is nobody's business. */
async function takesTheBundle(page, secrets) {
    await page.getByRole("button", { name: "Show what is in it" }).click();
    await page.locator("#bundle table", { hasText: "status.json" }).waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
    const path = join(folder, "bundle.tar.gz");
    await download.saveAs(path);
    const text = execFileSync("tar", ["-xzOf", path], { encoding: "latin1", maxBuffer: 1 << 26 });
    assert.ok(text.includes('"bitrate_kbps"'), "it holds the configuration");
    for (const secret of secrets) assert.ok(!text.includes(secret), "it holds no secret");
}

test("the page goes on by itself when a password is set with a terminal", async () => {
    const { page } = await open();
    command("password", `${PASSWORD}\n`);
    await logsIn(page, PASSWORD);
});

test("who may only watch changes the own password, and is shown nothing else to set", async () => {
    const { page } = await open();
    command("password", `${PASSWORD}\n`);
    await logsIn(page, PASSWORD);
    const user = { name: "kim", role: "viewer", password: "low-cloud-2958" };
    const made = await page.evaluate(async (user) => {
        const headers = { "Content-Type": "application/json" };
        return (await fetch("/api/v1/users", { method: "POST", headers, body: JSON.stringify(user) })).status;
    }, user);
    assert.equal(made, 201);
    await page.getByRole("button", { name: "Log out" }).click();
    await logsIn(page, user.password, user.name);
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByLabel("Present password").fill(user.password);
    await page.getByLabel("New password").fill("green-stone-8163");
    await page.getByRole("button", { name: "Change" }).click();
    await page.locator("#account .outcome", { hasText: "Your password is changed" }).waitFor();
    assert.equal(await page.locator("#cards > *").count(), 1);
    assert.equal(await page.getByRole("link", { name: "Diagnostics" }).count(), 0);
    await page.getByRole("button", { name: "Log out" }).click();
    await logsIn(page, "green-stone-8163", user.name);
});
