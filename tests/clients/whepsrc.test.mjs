// GStreamer's whepsrc, with its own choice of caps and of a still picture: few bytes, so
// that its reports are rare.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { eventually, Signpost } from "../browser/signpost.mjs";
import { isMovingPicture, isPicture, run, seenBy } from "./programs.mjs";

const player =
    process.env.SIGNPOST_CLIENTS_WHEPSRC ??
    fileURLToPath(new URL("../../target/release/signpost-whepsrc", import.meta.url));

/** Longer than any limit of silence: a peer that is not heard is let go after 6 s or 3 of its intervals. */
const WATCHING_S = 20;

/** whepsrc's own caps get VP8: they offer H.264 without packetization-mode=1, in which a picture must fit a packet. */
const H264 =
    "application/x-rtp,media=video,encoding-name=H264,payload=103,clock-rate=90000," +
    "packetization-mode=(string)1,profile-level-id=(string)42e01f";

let folder;
let signpost;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), "signpost-whepsrc-"));
    const clip = join(folder, "still.mp4");
    await run(player, ["still", clip, "60"]);
    signpost = await Signpost.start(["--open", "--source", `file:${clip}`, "--listen", "127.0.0.1:0"]);
});

after(async () => {
    await signpost?.stop();
    if (folder) rmSync(folder, { recursive: true });
});

test("whepsrc as it comes, which offers sound too, sees moving pictures", async () => {
    const device = await Signpost.start(["--open", "--source", "test", "--listen", "127.0.0.1:0"]);
    try {
        isMovingPicture(await seenBy(player, ["watch", `${device.url}whep`, "3"]));
        const { sessions } = await eventually(device, ({ sessions }) => sessions.connections === 0);
        assert.deepEqual([sessions.connected, sessions.lost], [1, {}]);
    } finally {
        await device.stop();
    }
});

test(`whepsrc watches a still picture for ${WATCHING_S} s and is neither lost nor left behind`, async () => {
    const seen = await seenBy(player, ["watch", `${signpost.url}whep`, `${WATCHING_S}`, H264]);
    isPicture(seen);
    assert.deepEqual(seen.size, [640, 360]);
    assert.ok(seen.moved < 0.01, `${seen.moved} of a still picture moved`);
    // 5 a second are made, 200 ms apart; a busy machine skips some.
    assert.ok(seen.pictures > 2 * WATCHING_S && seen.longest_gap_ms < 10_000, JSON.stringify(seen));
    const { sessions } = await eventually(signpost, ({ sessions }) => sessions.connections === 0);
    assert.deepEqual([sessions.connected, sessions.lost, sessions.kept], [1, {}, 0]);
});
