// How long the picture is held for repairs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule } from "./modules.mjs";

const { Repair } = await pageModule("repair.js");

test("a network that loses nothing holds nothing", () => {
    const repair = new Repair();
    for (let now = 0; now < 60_000; now += 1000) {
        repair.observe({ asked: 0, roundTrip_ms: 100 }, now);
        assert.equal(repair.hold_ms(now), 0);
    }
});

test("a repair needs a round trip and some more, and is forgotten after ten seconds", () => {
    const repair = new Repair();
    repair.observe({ asked: 3, roundTrip_ms: 100 }, 0);
    assert.equal(repair.hold_ms(0), 0, "what came before says nothing");
    repair.observe({ asked: 4, roundTrip_ms: 100 }, 1000);
    assert.equal(repair.hold_ms(10_999), 140);
    assert.equal(repair.hold_ms(11_000), 0);
});

test("the hold follows the longest round trip while packets are lost, within bounds", () => {
    const repair = new Repair();
    repair.observe({ asked: 0, roundTrip_ms: 10 }, 0);
    [10, 95, 30].forEach((roundTrip_ms, i) => repair.observe({ asked: i + 1, roundTrip_ms }, 1000 * (i + 1)));
    assert.equal(repair.hold_ms(4000), 140);
    repair.observe({ asked: 9, roundTrip_ms: 2000 }, 5000);
    assert.equal(repair.hold_ms(5000), 300);
});

test("a round trip that the browser does not tell is taken for 100 ms", () => {
    const repair = new Repair();
    repair.observe({ asked: 0 }, 0);
    repair.observe({ asked: 1 }, 1000);
    assert.equal(repair.hold_ms(1000), 140);
});

test("a browser that tells nothing of repairs is left alone", () => {
    const repair = new Repair();
    repair.observe({ asked: undefined, roundTrip_ms: 100 }, 0);
    repair.observe({ asked: undefined, roundTrip_ms: 100 }, 1000);
    assert.equal(repair.hold_ms(1000), 0);
});
