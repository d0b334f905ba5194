// The chaos programs: node tests/chaos/main.mjs [--short] [--seed N] [NAME ..], or ./dev chaos.
// Prints a table a scenario; ends with 1 when a goal is missed. See README.md.

import { parseArgs } from "node:util";

import { Stage } from "./stage.mjs";

/** In the order in which they run: the network that the others rely on is measured first. */
const SCENARIOS = ["middle", "leaving", "viewers", "interfaces", "stalled", "loss", "bottleneck", "outages", "faults", "kills", "stops", "swap", "isolation", "flood", "hostile", "cycles"];
/** The same for the short form, where several run at once. */
const LONGEST_FIRST = ["flood", "isolation", "hostile", "cycles", "bottleneck", "outages", "swap", "faults", "kills", "stops", "leaving", "stalled", "viewers", "interfaces", "loss", "middle"];
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

/** In the short form, whose bounds are coarse; a figure is measured alone. */
const AT_ONCE = 3;

const waiting = positionals.length > 0 ? [...positionals] : values.short ? LONGEST_FIRST : SCENARIOS;

/** Ends what an interrupted program started: each scenario's own end does it. */
const stages = new Set();
for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, async () => {
        waiting.length = 0;
        await Promise.all([...stages].map((stage) => stage.end()));
        process.exit(1);
    });
}

// A scenario that failed leaves promises behind, which fail when its programs end. Its
// row has told why; ending here would leave the programs of the others.
process.on("unhandledRejection", (reason) => console.error(`left behind: ${reason?.message ?? reason}`));

const options = { short: values.short, seed: Number(values.seed), minutes: Number(values.minutes) };

/** Runs a scenario to its end or limit, prints its rows, and says which were missed. */
async function play(name) {
    const { run, limit_s } = await import(`./${name}.mjs`);
    const stage = new Stage(options);
    stages.add(stage);
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
        stages.delete(stage);
    }
    const took = ((performance.now() - begun) / 1000).toFixed(0);
    if (values.json) for (const row of stage.rows) console.log(JSON.stringify({ scenario: name, ...row }));
    else {
        console.log(`\n${name}${values.short ? " (short)" : ""}, seed ${values.seed}, ${took} s`);
        console.table(stage.rows);
    }
    const missed = stage.rows.filter(({ met }) => !met);
    return missed.map(({ figure, goal, measured }) => `${name}: ${figure}: ${measured}, and the goal is ${goal}`);
}

const missed = [];
const player = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) missed.push(...(await play(name)));
};
await Promise.all(Array.from({ length: values.short ? AT_ONCE : 1 }, player));
for (const figure of missed) console.error(`missed: ${figure}`);
// Nothing that a late promise holds keeps the program.
process.exit(missed.length > 0 ? 1 : 0);
