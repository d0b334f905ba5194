// How every page looks, on a phone and on a laptop, in light and in dark: pictures to be looked
// at in target/screenshots, and nothing that axe-core objects to (WCAG 2.2 AA).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { binary, Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

const FOLDER = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const SIZES = { phone: { width: 360, height: 740 }, laptop: { width: 1280, height: 800 } };
/** So that light and dark, English and German are all seen on both sizes. */
const KINDS = [
    { size: "phone", colorScheme: "light", locale: "de-DE" },
    { size: "phone", colorScheme: "dark", locale: "en-GB" },
    { size: "laptop", colorScheme: "light", locale: "en-GB" },
    { size: "laptop", colorScheme: "dark", locale: "de-DE" },
];

let browser;
let folder;
/** One where nobody is asked for a login, one with a password, one without, and one with HTTPS. */
const devices = {};

before(async () => {
    folder = mkdtempSync(join(tmpdir(), "signpost-looks-"));
    mkdirSync(FOLDER, { recursive: true });
    browser = await launch();
    // What nobody looks at the live page of need not read signs.
    const mute = (name) => name !== "open" && { SIGNPOST_MODEL__RUNTIME: join(folder, "none") };
    const env = (name) => ({ STATE_DIRECTORY: join(folder, name), ...mute(name) });
    for (const name of ["open", "set", "unset", "secure"]) mkdirSync(join(folder, name), { mode: 0o700 });
    execFileSync(binary, ["password"], { input: "quiet-river-7431\n", env: { ...process.env, ...env("set") } });
    const args = ["--source", "demo", "--listen", "127.0.0.1:0"];
    devices.open = await Signpost.start(["--open", ...args], { env: env("open") });
    devices.set = await Signpost.start(args, { env: env("set") });
    const https = `127.0.0.1:${await freePort()}`;
    devices.secure = await Signpost.start(["--open", ...args, "--listen-https", https], { env: env("secure") });
    devices.unset = await Signpost.start(args, { env: env("unset") });
});

after(async () => {
    await browser?.close();
    for (const device of Object.values(devices)) await device.stop();
    if (folder) rmSync(folder, { recursive: true });
});

/** A port that nobody listens on; the program names the one without TLS alone. */
async function freePort() {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
}

/** What axe-core objects to, each with the elements that it means. */
async function objections(page) {
    await page.evaluate(AXE);
    const { violations } = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: "tag", values } }), RULES);
    return violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, any }) => [html.slice(0, 160), any[0]?.message]) }));
}

/** Opens a page in each kind, waits until it is `ready`, keeps its picture and asks axe-core. */
async function looks(name, device, path, ready, more = {}) {
    for (const { size, ...kind } of KINDS) {
        const options = { ...kind, viewport: SIZES[size], reducedMotion: "reduce" };
        const viewer = await Viewer.open(browser, new URL(path, devices[device].url).href, options);
        try {
            await ready(viewer);
            const title = `${name}-${size}-${kind.colorScheme}`;
            await viewer.page.screenshot({ path: join(FOLDER, `${title}.png`), fullPage: true });
            assert.equal(await viewer.page.evaluate(() => document.documentElement.lang), kind.locale.slice(0, 2));
            const { width } = SIZES[size];
            assert.equal(await viewer.page.evaluate(() => document.documentElement.scrollWidth), width, `${title} scrolls sideways`);
            assert.deepEqual(await objections(viewer.page), [], title);
            // Chromium writes each answer that is no success to the console.
            assert.deepEqual(viewer.complaints.filter((line) => !/status of (401|404|503)/.test(line)), [], title);
            await more[size]?.(viewer);
        } finally {
            await viewer.close();
        }
    }
}

test("the live page", async () => {
    await looks("live", "open", "/", async (viewer) => {
        await viewer.connects();
        await viewer.until("stats.link && stats.hits > 20");
        await viewer.page.locator("#chip-figures", { hasText: "bit/s" }).waitFor();
    });
});

test("the live page with its menu open, on a phone", async () => {
    const options = { viewport: SIZES.phone, colorScheme: "light", locale: "en-GB" };
    const viewer = await Viewer.open(browser, devices.open.url, options);
    await viewer.connects();
    await viewer.page.getByRole("button", { name: "Menu" }).click();
    await viewer.page.getByRole("link", { name: "Settings" }).waitFor();
    await viewer.page.screenshot({ path: join(FOLDER, "live-menu-phone-light.png") });
    assert.deepEqual(await objections(viewer.page), []);
    await viewer.page.keyboard.press("Escape");
    await viewer.page.getByRole("link", { name: "Settings" }).waitFor({ state: "hidden" });
    await viewer.close();
});

test("the settings page", async () => {
    await looks("settings", "open", "/settings", async ({ page }) => {
        await page.locator("#encoder-bitrate_kbps").waitFor();
        await page.locator("#camera video").first().waitFor();
        await page.waitForTimeout(1500);
    });
});

test("the diagnostics page", async () => {
    await looks("diagnostics", "open", "/diagnostics", async ({ page }) => {
        await page.locator('#connection [data-state="decoded"]').first().waitFor();
        await page.locator("#tests button").first().click();
        await page.locator("#tests .steps li").first().waitFor();
        await page.locator("#connection table").waitFor();
    });
});

test("the page of the certificate", async () => {
    await looks("trust", "open", "/trust", ({ page }) => page.locator("#problem").filter({ hasText: /\S/ }).waitFor());
});

test("the page of the certificate, where there is one", async () => {
    // It is served without TLS too, for who does not trust it yet.
    await looks("trust-steps", "secure", "/trust", async ({ page }) => {
        await page.locator("#steps").waitFor();
        await page.locator("#code").evaluate((image) => image.decode());
    });
});

test("the way in", async () => {
    await looks("login", "set", "/login", ({ page }) => page.locator("#enter").filter({ hasText: /\S/ }).waitFor());
});

test("the first start", async () => {
    await looks("setup", "unset", "/setup", ({ page }) => page.locator("#enter").filter({ hasText: /\S/ }).waitFor());
});

test("a page can be used without a mouse", async () => {
    const { page, ...viewer } = await Viewer.open(browser, new URL("/settings", devices.open.url).href, { locale: "en-GB" });
    await page.locator("#encoder-bitrate_kbps").waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const seen = [];
    for (let n = 0; n < 12; n += 1) {
        await page.keyboard.press("Tab");
        seen.push(await page.evaluate(() => {
            const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
            return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
        }));
    }
    assert.ok(seen.every(Boolean), "where the focus is can be seen");
    await viewer.context.close();
});
