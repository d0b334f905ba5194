// The chaos programs: node tests/chaos/main.mjs [--short] [--seed N] [NAME ..], or ./dev chaos.
// Prints a table a scenario; ends with 1 when a goal is missed. See README.md.

import { parseArgs } from "node:util";

import { Stage } from "./stage.mjs";

/** In the order in which they run: the network that the others rely on is measured first. */
const SCENARIOS = ["middle", "leaving", "viewers", "interfaces", "stalled", "loss", "bottleneck", "outages", "flood", "cycles"];
/** Only by its name, or ./dev soak. */
const LONG = ["soak"];

const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        short: { type: "boolean", default: false },
        seed: { type: "string", default: `${Math.floor(Math.random() * 1e6)}` },
        minutes: { type: "string", default: "60" },
        json: { type: "boolean", default: false },
    },
});
const unknown = positionals.filter((name) => ![...SCENARIOS, ...LONG].includes(name));
if (unknown.length > 0) {
    console.error(`unknown: ${unknown.join(", ")}; there are ${[...SCENARIOS, ...LONG].join(", ")}`);
    process.exit(2);
}

/** Ends what an interrupted program started: each scenario's own end does it. */
let stage;
for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, async () => {
        await stage?.end();
        process.exit(1);
    });
}

let missed = 0;
for (const name of positionals.length > 0 ? positionals : SCENARIOS) {
    const { run, limit_s } = await import(`./${name}.mjs`);
    const options = { short: values.short, seed: Number(values.seed), minutes: Number(values.minutes) };
    stage = new Stage(options);
    const begun = performance.now();
    let limit;
    try {
        const late = new Promise((_, reject) => {
            const whole_s = limit_s(options);
            limit = setTimeout(() => reject(new Error(`not done within ${whole_s} s`)), 1000 * whole_s);
        });
        await Promise.race([run(stage), late]);
    } catch (error) {
        stage.row(name, "runs to its end", error.message.split("\n").slice(0, 3).join(" | "), false);
    } finally {
        clearTimeout(limit);
        await stage.end();
    }
    const took = ((performance.now() - begun) / 1000).toFixed(0);
    missed += stage.rows.filter(({ met }) => !met).length;
    if (values.json) for (const row of stage.rows) console.log(JSON.stringify({ scenario: name, ...row }));
    else {
        console.log(`\n${name}${values.short ? " (short)" : ""}, seed ${values.seed}, ${took} s`);
        console.table(stage.rows);
    }
}
if (missed > 0) console.error(`${missed} figures missed`);
// Nothing that a late promise holds keeps the program.
process.exit(missed > 0 ? 1 : 0);
