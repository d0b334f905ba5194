// A device without a password, as systemd starts it: with a socket for the whole network.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { binary, Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

const PASSWORD = "quiet-river-7431";

let browser;
let folder;
let env;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), "signpost-unset-"));
    env = { STATE_DIRECTORY: folder };
    browser = await launch();
});

after(async () => {
    await browser?.close();
    if (folder) rmSync(folder, { recursive: true });
});

test("the page of a device without a password goes on by itself when one is set", async () => {
    // All addresses, as signpost.socket listens; nobody but this test asks.
    const socket = createServer().listen(0, "0.0.0.0");
    await once(socket, "listening");
    const url = `http://127.0.0.1:${socket.address().port}/`;
    // Node.js has no other name for its number.
    const started = Signpost.start(["--source", "demo"], { env, socket: socket._handle.fd });
    // From here on it is the program's.
    socket.close();
    const signpost = await started;
    try {
        const { page, complaints } = await Viewer.open(browser, url);
        assert.equal(new URL(page.url()).pathname, "/login");
        await page.getByRole("heading", { name: "This device has no password yet" }).waitFor();
        assert.equal(await page.locator("code").textContent(), "sudo signpost password");
        assert.equal(await page.getByLabel("Password").count(), 0);
        assert.deepEqual(complaints, []);

        execFileSync(binary, ["password"], { input: `${PASSWORD}\n`, env: { ...process.env, ...env } });
        await page.getByLabel("Password").fill(PASSWORD);
        await page.keyboard.press("Enter");
        await page.waitForURL(url);
        await page.waitForFunction(() => window.signpost?.stats.frames > 3);
    } finally {
        await signpost.stop();
    }
});
