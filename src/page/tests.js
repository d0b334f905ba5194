// The tests that a button starts: connection, channel, configuration, golden clip.

import { request } from "./api.js";
import { action, card, outcome, reason } from "./card.js";
import { make } from "./dom.js";
import { MARKS, Probe } from "./probe.js";
import { report } from "./report.js";
import { steps, verdict } from "./verdict.js";
import { words } from "./words.js";

/** From the offer to the last step: what an attempt has on the live page, and the camera's start. */
const TEST_LIMIT_MS = 12_000;
const ECHO_LIMIT_MS = 2000;
/** A golden clip takes as long as the clip, or longer. */
const CHECK_LIMIT_MS = 130_000;
const ECHOES = 5;

const said = words.diagnostics;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `probe()` is the connection that the page has already. */
export function testsCard(probe) {
    const told = outcome();
    const found = make("div", {});
    const start = (text, test) => action(text, told, async () => {
        found.replaceChildren();
        const { list, sentence } = await test();
        found.replaceChildren(report(list));
        return sentence;
    });
    const device = (path) => async () => {
        const { steps: list } = await request("POST", path, undefined, { limit_ms: CHECK_LIMIT_MS });
        return { list, sentence: verdict(list) };
    };
    return card("tests", said.sections.tests, make("p", { class: "help", textContent: said.testsHelp }),
        make("p", { class: "actions" },
            start(said.testConnection, connectionTest),
            start(said.testChannel, () => channelTest(probe())),
            start(said.testConfiguration, device("/api/v1/checks/configuration")),
            start(said.testClip, device("/api/v1/checks/golden-clip"))),
        make("p", {}, told.line), found);
}

/** A second real connection, beside whatever the page has. */
async function connectionTest() {
    const status = await request("GET", "/api/v1/status");
    const recognises = status.recognition?.state === "running";
    const camera = status.cameras?.[0]?.state;
    const probe = new Probe();
    const facts = { marks: probe.marks, camera, recognises };
    try {
        await probe.open();
        await until(() => MARKS.every((mark) => probe.marks[mark] !== undefined || (mark === "prediction" && !recognises)));
        const echo_ms = probe.marks.channel === undefined ? undefined : await probe.echo(ECHO_LIMIT_MS);
        if (echo_ms !== undefined) probe.marks.echo = echo_ms;
    } catch (error) {
        facts.refusal = { detail: reason(error), hint: error.hint ? undefined : error.message };
    } finally {
        probe.close();
    }
    const list = steps(facts);
    return { list, sentence: verdict(list) };
}

async function until(holds) {
    for (const end = performance.now() + TEST_LIMIT_MS; performance.now() < end && !holds(); ) await wait(50);
}

/** Echoes on the connection that stands. */
async function channelTest(probe) {
    const times = [];
    for (let n = 0; n < ECHOES && probe; n += 1) times.push(await probe.echo(ECHO_LIMIT_MS));
    const back = times.filter((ms) => ms !== undefined);
    const name = said.steps.echo.name;
    const mean_ms = back.reduce((sum, ms) => sum + ms, 0) / back.length;
    const list = back.length === ECHOES
        ? [{ name, verdict: "pass", took_ms: mean_ms, detail: said.echoes(ECHOES, Math.max(...back)) }]
        : [{ name, verdict: "fail", took_ms: 0, detail: said.echoesLost(ECHOES - back.length, ECHOES), hint: said.steps.echo.todo }];
    return { list, sentence: verdict(list) };
}
