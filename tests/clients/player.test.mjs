// A WHEP player from npm (whip-whep, by an author of the draft) in a page of another origin.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { eventually, Signpost, status } from "../browser/signpost.mjs";
import { launch } from "../browser/viewer.mjs";
import { isMovingPicture } from "./programs.mjs";
import { equip, plays } from "./visitor.mjs";

const script = new URL("../browser/node_modules/whip-whep/whep.js", import.meta.url);

let pages;
let origin;
let signpost;
let browser;

before(async () => {
    const whep = await readFile(script);
    pages = createServer((request, response) => {
        const [kind, body] = request.url === "/whep.js" ? ["text/javascript", whep] : ["text/html", "<title>wall</title>"];
        response.writeHead(200, { "Content-Type": kind }).end(body);
    });
    await once(pages.listen(0, "127.0.0.1"), "listening");
    origin = `http://127.0.0.1:${pages.address().port}`;
    // Nobody answers there; the page is only to read of it. The player cuts a credential at ';'.
    const env = {
        SIGNPOST_HTTP__ALLOWED_ORIGINS: JSON.stringify([origin]),
        SIGNPOST_ICE__SERVERS: '[{ urls = ["turn:127.0.0.1:9"], username = "wall", credential = "c:r/e=d" }]',
    };
    signpost = await Signpost.start(["--open", "--source", "test", "--listen", "127.0.0.1:0"], { env });
    browser = await launch();
});

after(async () => {
    await browser?.close();
    await signpost?.stop();
    pages?.close();
});

/** A page of `origin`, with every request to the device and its status. */
async function wall() {
    const page = await browser.newPage();
    const asked = [];
    page.on("response", (response) => {
        const request = response.request();
        if (response.url().startsWith(signpost.url)) asked.push([request.method(), response.status()]);
    });
    await equip(page);
    await page.goto(origin);
    return { page, asked };
}

test("the player of an allowed origin shows moving pictures and ends the session", async () => {
    const { page, asked } = await wall();
    const seen = await page.evaluate(plays, `${signpost.url}whep`);
    isMovingPicture(seen);
    // What the player could read of the answer, though it comes from elsewhere.
    assert.match(seen.resource, new RegExp(`^${signpost.url}whep/[0-9a-f]{32}$`));
    assert.match(seen.etag, /^"[0-9a-f]{32}"$/);
    assert.deepEqual(seen.iceServers, [
        { urls: ["turn:127.0.0.1:9"], username: "wall", credential: "c:r/e=d" },
    ]);
    const statuses = (method) => asked.filter(([name]) => name === method).map(([, status]) => status);
    assert.deepEqual([statuses("POST"), statuses("DELETE")], [[201], [200]], JSON.stringify(asked));
    // Whatever is said to its candidates: it sends them without If-Match, and gets a picture without them.
    assert.ok(statuses("PATCH").every((status) => status < 500), JSON.stringify(asked));
    await eventually(signpost, ({ sessions }) => sessions.connections === 0);
    await page.close();
});

test("a page of another origin is refused", async () => {
    const { page, asked } = await wall();
    const other = `http://localhost:${pages.address().port}`;
    await page.goto(other);
    await assert.rejects(page.evaluate(plays, `${signpost.url}whep`), /Failed to fetch/);
    assert.ok(asked.every(([, status]) => status >= 400), JSON.stringify(asked));
    const { sessions } = await status(signpost);
    assert.equal(sessions.connections, 0);
    await page.close();
});
