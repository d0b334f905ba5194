// Loads a module of the page into node. src/page has no package.json, since the
// binary carries that folder as it is, so node would not take it for a module.

import { readFile } from "node:fs/promises";

/** A module of src/page, with all that it imports. `others`: text for modules that stand in for the page's. */
export async function pageModule(name, others = {}) {
    return import(await address(name, others));
}

/** The module as an address that holds its whole text; the same text has the same address. */
async function address(name, others) {
    let text = others[name] ?? (await readFile(new URL(`../../src/page/${name}`, import.meta.url), "utf8"));
    for (const [, other] of text.matchAll(/ (?:from |import\()"\.\/([^"]+)"/g)) {
        text = text.replace(`"./${other}"`, `"${await address(other, others)}"`);
    }
    return `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`;
}

/** Repeatable random numbers in 0..1 (mulberry32), so that a failure can be had again. */
export function randomNumbers(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
}
