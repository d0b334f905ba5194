// aiortc: a WebRTC stack of its own, in Python, with all candidates in its offer.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { eventually, Signpost } from "../browser/signpost.mjs";
import { isMovingPicture, seenBy } from "./programs.mjs";

const python = process.env.SIGNPOST_CLIENTS_PYTHON ?? "python3";
const client = fileURLToPath(new URL("aiortc_whep.py", import.meta.url));

let signpost;

before(async () => {
    signpost = await Signpost.start(["--open", "--source", "test", "--listen", "127.0.0.1:0"]);
});

after(() => signpost?.stop());

for (const [codecs, answered] of [
    [["h264", "vp8"], "H264"],
    [["vp8"], "VP8"],
]) {
    test(`aiortc that offers ${codecs.join(" and ")} sees moving pictures in ${answered}`, async () => {
        const seen = await seenBy(python, [client, `${signpost.url}whep`, ...codecs]);
        assert.deepEqual([seen.answered, seen.ended], [201, 200]);
        assert.ok(seen.offered_candidates > 0);
        assert.match(seen.answer, new RegExp(`^a=rtpmap:\\d+ ${answered}/90000\\r$`, "m"));
        assert.deepEqual(seen.size, [1280, 720]);
        isMovingPicture(seen);
        await eventually(signpost, ({ sessions }) => sessions.connections === 0);
    });
}
