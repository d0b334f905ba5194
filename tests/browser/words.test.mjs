// That both languages say everything, and that the pages say nothing by themselves.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

import { pageModule } from "./modules.mjs";

const FOLDER = new URL("../../src/page/", import.meta.url);
const files = await readdir(FOLDER);
const read = (name) => readFile(new URL(name, FOLDER), "utf8");

const { languages, pick } = await pageModule("words.js");
const all = Object.fromEntries(await Promise.all(languages.map(async (language) => {
    const { words } = await pageModule(`words.${language}.js`);
    return [language, words];
})));

/** Every text, or what makes one, by its whole key. */
function texts(words, above = "") {
    return Object.entries(words).flatMap(([key, value]) => {
        return typeof value === "object" ? texts(value, `${above}${key} / `) : [[`${above}${key}`, value]];
    });
}

/** How a text is made: that it stands there, or of how many things. */
const kind = (value) => (typeof value === "function" ? `of ${value.length}` : typeof value);
const kinds = (words) => Object.fromEntries(texts(words).map(([key, value]) => [key, kind(value)]));

test("every language has the same texts, which are told the same", () => {
    assert.ok(languages.length >= 2);
    for (const language of languages) assert.deepEqual(kinds(all[language]), kinds(all.en), language);
});

test("no text is empty", () => {
    for (const language of languages) {
        for (const [key, value] of texts(all[language])) assert.notEqual(`${value}`.trim(), "", `${language}: ${key}`);
    }
});

test("sentences are translated", () => {
    const german = new Map(texts(all.de));
    for (const [key, english] of texts(all.en)) {
        if (typeof english === "string" && english.split(" ").length > 3) assert.notEqual(german.get(key), english, key);
    }
});

test("what a text is told stands in it, in every language", () => {
    const tells = (text) => [...`${text}`.matchAll(/\$\{([^}]*)\}/g)].length > 0;
    const german = new Map(texts(all.de));
    for (const [key, english] of texts(all.en)) {
        if (/^of [1-9]/.test(kind(english))) assert.equal(tells(german.get(key)), tells(english), key);
    }
});

test("the language is the one chosen, or the first that the browser wants and we have", () => {
    assert.equal(pick("de", ["en"]), "de");
    assert.equal(pick(undefined, ["fr", "de-AT", "en"]), "de");
    assert.equal(pick("nonsense", ["EN-gb"]), "en");
    assert.equal(pick(undefined, ["fr"]), "en");
    assert.equal(pick(undefined, undefined), "en");
});

test("pages name texts that there are", async () => {
    let named = 0;
    for (const file of files.filter((name) => name.endsWith(".html"))) {
        for (const [, key] of (await read(file)).matchAll(/data-(?:words|words-label|title)="([^"]+)"/g)) {
            named += 1;
            const said = key.split(".").reduce((inner, part) => inner?.[part], all.en);
            assert.equal(typeof said, "string", `${file}: ${key}`);
        }
    }
    assert.ok(named > 50, `${named} found`);
});

test("a page has no text of its own but its name, and what is said where no script runs", async () => {
    for (const file of files.filter((name) => name.endsWith(".html"))) {
        const page = (await read(file)).replace(/<noscript>.*?<\/noscript>/gs, "").replace(/<!.*?>/gs, "");
        const texts = page.split(/<[^>]*>/).map((text) => text.trim()).filter(Boolean);
        assert.deepEqual(texts.filter((text) => text !== "signpost"), [], file);
        for (const [, label] of page.matchAll(/ (?:aria-label|title|placeholder|alt)="([^"]*)"/g)) assert.equal(label, "", file);
    }
});

test("no module but the words has text for people", async () => {
    for (const file of files.filter((name) => name.endsWith(".js") && !/^words\...\.js$/.test(name))) {
        const code = (await read(file)).replace(/\/\*.*?\*\/|^\s*\/\/.*$|\/\/ .*$/gms, "");
        // What people read begins with a capital letter and has words after it, or is set at once.
        for (const [whole, said] of code.matchAll(/(?:textContent|innerText|title|alt): ?"([^"]+)"/g)) assert.fail(`${file}: ${whole} ${said}`);
        for (const [sentence] of code.matchAll(/["`][A-Z][a-z]+(?: [a-z]+)+[^"`]*["`]/g)) assert.fail(`${file}: ${sentence}`);
    }
});
