// What a technician does in the pages: choose how the picture comes, and the language, change
// settings, test the connection.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

let browser;
let folder;
let signpost;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), "signpost-set-"));
    const env = { STATE_DIRECTORY: folder, SIGNPOST_SESSIONS__RECONNECT_WAITS_S: "[0.5]" };
    signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"], { env });
    browser = await launch();
});

after(async () => {
    await browser?.close();
    await signpost?.stop();
    if (folder) rmSync(folder, { recursive: true });
});

const at = (path) => new URL(path, signpost.url).href;
const config = async () => (await fetch(at("/api/v1/config"))).json();

/** Whether the single pictures show something that is not black. */
function stillIsSeen() {
    const still = document.getElementById("stills");
    if (!still?.width) return false;
    const context = new OffscreenCanvas(16, 9).getContext("2d");
    context.drawImage(still, 0, 0, 16, 9);
    const { data } = context.getImageData(0, 0, 16, 9);
    return data.reduce((sum, value, i) => sum + (i % 4 === 3 ? 0 : value), 0) / (16 * 9 * 3) > 12;
}

test("single pictures can be chosen, and WebRTC again", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    await viewer.connects();
    await viewer.page.getByLabel("Transmission").selectOption("mjpeg");
    await viewer.until(`stats.transmission === 'mjpeg' && stats.phase === 'live' && (${stillIsSeen})()`);
    assert.equal(await viewer.page.locator("video").count(), 0);
    await viewer.page.locator("#chip-figures", { hasText: /MJPEG/ }).waitFor();
    assert.equal(await viewer.page.locator("#problem").isVisible(), false);
    // The choice outlasts a reload.
    await viewer.page.reload();
    await viewer.until(`stats.transmission === 'mjpeg' && stats.phase === 'live' && (${stillIsSeen})()`);
    await viewer.page.getByLabel("Transmission").selectOption("auto");
    await viewer.connects();
    assert.equal(await viewer.page.locator("#stills").count(), 0);
    assert.deepEqual(viewer.complaints, []);
    await viewer.close();
});

test("where WebRTC cannot pass, single pictures come when all attempts are used up", async () => {
    const viewer = await Viewer.open(browser, "about:blank");
    await viewer.page.route("**/api/v1/webrtc/offer", async (route) => {
        const response = await route.fetch();
        const answer = await response.json();
        // Another certificate's fingerprint: ICE connects, DTLS does not.
        const sdp = answer.sdp?.replace(/(a=fingerprint:sha-256) .*/g, `$1 ${Array(32).fill("11").join(":")}`);
        await route.fulfill({ response, json: { ...answer, sdp } });
    });
    await viewer.page.goto(signpost.url);
    await viewer.until("stats.ladder.name === 'waiting'");
    assert.equal((await viewer.stats()).transmission, "webrtc", "not before the ladder's end");
    await viewer.until(`stats.transmission === 'mjpeg' && stats.phase === 'live' && (${stillIsSeen})()`);
    assert.equal((await viewer.stats()).attempts, 2, "the first, and one more");
    await viewer.page.locator("#remark", { hasText: "Single pictures" }).waitFor();
    await viewer.close();
});

test("the picture fills the screen by button and by key, with what is drawn on it", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    await viewer.connects();
    const isFull = "document.fullscreenElement?.id === 'stage'";
    await viewer.page.getByRole("button", { name: "Full screen" }).click();
    await viewer.until(isFull);
    await viewer.handDrawn();
    await viewer.page.getByRole("button", { name: "Leave full screen" }).click();
    await viewer.until(`!(${isFull})`);
    await viewer.page.locator("#stage").focus();
    await viewer.page.keyboard.press("f");
    await viewer.until(isFull);
    await viewer.close();
});

test("a browser that gives the whole screen to no page fills its window", async () => {
    const script = () => delete Element.prototype.requestFullscreen;
    const viewer = await Viewer.open(browser, signpost.url, { script, viewport: { width: 390, height: 844 } });
    await viewer.connects();
    await viewer.page.getByRole("button", { name: "Full screen" }).click();
    const { width, height } = await viewer.page.locator("#stage").boundingBox();
    assert.deepEqual([width, height], [390, 844]);
    await viewer.page.keyboard.press("Escape");
    await viewer.until("document.getElementById('stage').clientHeight < 400");
    await viewer.close();
});

test("a language is loaded alone, chosen by browser or person, and kept", async () => {
    const viewer = await Viewer.open(browser, signpost.url, { locale: "de-AT" });
    const { page } = viewer;
    const files = [];
    page.on("request", (request) => files.push(new URL(request.url()).pathname));
    await page.getByRole("button", { name: "Leeren" }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
    await page.getByLabel("Sprache").selectOption("en");
    await page.getByRole("button", { name: "Clear" }).waitFor();
    assert.deepEqual(files.filter((name) => /words\...\./.test(name)), ["/page/words.en.js"]);
    await page.goto(at("/settings"));
    await page.getByRole("heading", { name: "Settings" }).waitFor();
    assert.match(await page.title(), /settings/);
    await viewer.close();
});

test("a setting is checked by the device, and what is wrong stands at its field", async () => {
    const viewer = await Viewer.open(browser, at("/settings"));
    const { page } = viewer;
    const rate = page.getByLabel("Bit rate", { exact: true });
    const save = page.locator("#encoder").getByRole("button", { name: "Save" });
    await rate.fill("5");
    await save.click();
    await page.locator("#encoder-bitrate_kbps-wrong", { hasText: "encoder.bitrate_kbps = 5: allowed is" }).waitFor();
    assert.equal(await rate.getAttribute("aria-invalid"), "true");
    assert.equal((await config()).values.encoder.bitrate_kbps, 2500);

    await rate.fill("1800");
    await save.click();
    await page.locator("#encoder .outcome", { hasText: "in force" }).waitFor();
    assert.equal((await config()).values.encoder.bitrate_kbps, 1800);
    assert.equal(await page.locator("#waiting").isVisible(), false);

    await page.getByLabel("Smaller picture").selectOption("false");
    await save.click();
    await page.locator("#encoder .outcome", { hasText: "after a restart" }).waitFor();
    await page.locator("#waiting", { hasText: "encoder.low_rendition" }).waitFor();
    await viewer.close();
});

test("what the environment sets cannot be changed from a page, which says so", async () => {
    const viewer = await Viewer.open(browser, at("/settings"));
    const waits = viewer.page.getByLabel("Waits before reconnecting");
    await waits.waitFor();
    assert.equal(await waits.isDisabled(), true);
    await viewer.page.locator("#sessions", { hasText: "SIGNPOST_SESSIONS__RECONNECT_WAITS_S" }).waitFor();
    await viewer.close();
});

test("a user is made, given a role and removed, and a token is shown once", async () => {
    const viewer = await Viewer.open(browser, at("/settings"));
    const { page } = viewer;
    page.on("dialog", (dialog) => dialog.accept());
    await page.getByText("Add a user").click();
    const form = page.getByRole("form", { name: "Add a user" });
    await form.getByLabel("Name").fill("kim");
    await form.getByLabel("Password").fill("low-cloud-2958");
    await form.getByRole("button", { name: "Add" }).click();
    await page.getByLabel("Role of kim").selectOption("operator");
    await page.locator("#users .outcome", { hasText: "in force" }).waitFor();
    const { users } = await (await fetch(at("/api/v1/users"))).json();
    assert.deepEqual(users.find(({ name }) => name === "kim"), { name: "kim", role: "operator" });
    await page.getByRole("button", { name: "Remove: kim" }).click();
    await page.getByLabel("Role of kim").waitFor({ state: "detached" });

    await page.getByText("Make a token").click();
    const made = page.getByRole("form", { name: "Make a token" });
    await made.getByLabel("Name").fill("wall");
    await made.getByRole("button", { name: "Add" }).click();
    assert.match(await page.locator("#tokens .secret code").textContent(), /^\S{20,}$/);
    await viewer.close();
});

test("the connection test makes a second connection and says that all is well", async () => {
    const viewer = await Viewer.open(browser, at("/diagnostics"));
    const { page } = viewer;
    await page.locator('#connection [data-state="decoded"]').first().waitFor();
    await page.getByRole("button", { name: "Test the connection" }).click();
    await page.locator("#tests .outcome", { hasText: "All is well." }).waitFor();
    assert.equal(await page.locator('#tests li[data-verdict="pass"]').count(), 7);
    await page.getByRole("button", { name: "Test the channel" }).click();
    await page.locator("#tests", { hasText: "5 of 5 messages came back" }).waitFor();
    await page.locator("#connection table", { hasText: "in use" }).waitFor();
    await viewer.close();
});

test("a connection test that fails says where and what to do", async () => {
    const viewer = await Viewer.open(browser, "about:blank");
    const { page } = viewer;
    await page.goto(at("/diagnostics"));
    await page.locator('#connection [data-state="decoded"]').first().waitFor();
    const json = { title: "server at capacity", detail: "all 16 places are taken", hint: "close another viewer", status: 503 };
    await page.route("**/api/v1/webrtc/offer", (route) => route.fulfill({ status: 503, json, contentType: "application/problem+json" }));
    await page.getByRole("button", { name: "Test the connection" }).click();
    await page.locator('#tests li[data-verdict="fail"]', { hasText: "all 16 places are taken" }).waitFor();
    assert.equal(await page.locator('#tests li[data-verdict="skipped"]').count(), 6);
    await viewer.close();
});

test("every field is named in words, not by its key", async () => {
    const viewer = await Viewer.open(browser, at("/settings"));
    await viewer.page.getByLabel("Paths", { exact: true }).waitFor();
    const labels = await viewer.page.locator("label").allTextContents();
    assert.ok(labels.length > 20, `${labels}`);
    assert.deepEqual(labels.filter((label) => label.includes("_")), []);
    await viewer.close();
});
