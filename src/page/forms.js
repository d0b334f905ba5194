// The configuration as fields, and fields as a wish. Pure.

/** Where a value came from that the API cannot win over. */
const HELD = /^(environment variable|argument) /;

/**
 * The fields of a section of `GET /api/v1/config`, those of `names` or all; `index` counts
 * cameras. Each: `{ key, name, value, kind, min, max, words, unit, default, allowed, shut, held }`.
 */
export function fields(config, section, { names, index } = {}) {
    const values = index === undefined ? config.values[section] : config.values[section]?.[index];
    if (!values || !config.keys) return [];
    const known = (names ?? Object.keys(values)).filter((name) => name in values && config.keys[`${section}.${name}`]);
    return known.map((name) => {
        const at = index > 0 ? `${section}[${index}].${name}` : `${section}.${name}`;
        const origin = config.origins[at] ?? "";
        return { ...config.keys[`${section}.${name}`], key: at, name, value: values[name], held: HELD.test(origin) ? origin : undefined };
    });
}

/** What stands in a field, as text. */
export function shown({ kind, name, value }) {
    if (kind !== "list") return String(value);
    return name === "servers" ? value.map(serverAsText).join("\n") : value.join("\n");
}

/** The value that a text stands for; what fits no number goes as it is, and the device says what is wrong. */
export function taken({ kind, name, value, default: fallback }, text) {
    if (kind === "flag") return text === "true";
    if (kind === "number" || kind === "even") return asNumber(text);
    if (kind !== "list") return text;
    const lines = text.split(/[\n,]/).map((line) => line.trim()).filter(Boolean);
    if (name === "servers") return lines.map(serverFromText);
    const numbers = [...value, ...fallback].some((item) => typeof item === "number");
    return numbers ? lines.map(asNumber) : lines;
}

const asNumber = (text) => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

/** A server on one line: its addresses, and user and credential where it asks for them. */
function serverAsText(server) {
    if (typeof server === "string") return server;
    return [[server.urls].flat().join(" "), server.username, server.credential].filter(Boolean).join(" ");
}

function serverFromText(line) {
    const words = line.split(/\s+/);
    const urls = words.filter((word) => /^(stuns?|turns?):/.test(word));
    const [username, credential] = words.filter((word) => !urls.includes(word));
    if (urls.length === 1 && username === undefined) return urls[0];
    return { urls, ...(username && { username }), ...(credential && { credential }) };
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** What is to be sent for the fields whose texts have changed, or undefined if none has. `texts` by key. */
export function wish(section, list, texts, index) {
    const changed = list.filter((field) => texts[field.key] !== undefined && !same(taken(field, texts[field.key]), field.value));
    if (changed.length === 0) return undefined;
    const values = Object.fromEntries(changed.map((field) => [field.name, taken(field, texts[field.key])]));
    if (index === undefined) return { [section]: values };
    return { [section]: [...Array.from({ length: index }, () => ({})), values] };
}

/**
 * What the device says of a refused wish: `{ byKey, rest }`, its own sentences, at the keys
 * that they name. Without its first part, which says where the wish came from.
 */
export function complaints({ detail = "", hint }, keys) {
    const lines = detail.split("\n").map((line) => line.trim()).filter(Boolean);
    // The first line only counts the others.
    const told = lines.length > 1 ? lines.slice(1) : lines;
    const byKey = {};
    const rest = [];
    for (const line of told) {
        const key = keys.find((each) => line.startsWith(`${each} `) || line.includes(`: ${each} `) || line.includes(` ${each}:`));
        const from = key === undefined ? -1 : line.indexOf(key);
        if (from < 0) rest.push(line);
        else byKey[key] = line.slice(from);
    }
    if (rest.length > 0 && hint) rest.push(hint);
    return { byKey, rest };
}
