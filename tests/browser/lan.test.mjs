// The page over plain http on an address of the network, with login.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { DEVICE, Network } from "./network.mjs";
import { behaved, seesLandmarks, seesMovingPicture, seesTranscript } from "./sights.mjs";
import { binary, Signpost } from "./signpost.mjs";
import { chromiumPath, launch, Viewer } from "./viewer.mjs";

const PASSWORD = "quiet-river-7431";

let folder;
let network;
let browser;
let signpost;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), "signpost-lan-"));
    const env = { SIGNPOST_ACCESS__PASSWORD_FILE: join(folder, "password") };
    execFileSync(binary, ["password"], { input: `${PASSWORD}\n`, env: { ...process.env, ...env } });
    network = await Network.make();
    signpost = await Signpost.start(["--source", "demo", "--listen", `${DEVICE}:0`], { env, within: network.onDevice });
    browser = await launch(network.visitorsProgram(chromiumPath));
});

after(async () => {
    await browser?.close();
    await signpost?.stop();
    network?.remove();
    if (folder) rmSync(folder, { recursive: true });
});

test("a visitor logs in and sees picture, landmarks and HELLO WORLD", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    const { page } = viewer;
    assert.equal(new URL(page.url()).pathname, "/login");

    await page.getByLabel("Password").fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText("User and password do not match").waitFor();
    // Chromium itself writes every 401 to the console.
    viewer.complaints = viewer.complaints.filter((line) => !line.includes("401"));

    await page.getByLabel("Password").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL(signpost.url);
    await seesMovingPicture(viewer);
    await seesLandmarks(viewer);
    await seesTranscript(viewer, "HELLO WORLD");
    behaved(viewer, signpost.url);

    await page.getByRole("button", { name: "Log out" }).click();
    await page.waitForURL((url) => url.pathname === "/login");
    await page.goto(signpost.url);
    assert.equal(new URL(page.url()).pathname, "/login");
    await viewer.close();
});
