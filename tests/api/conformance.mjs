// The API against its own document: schemathesis as administrator on throw-away state.
// node tests/api/conformance.mjs [--requests N] [--seed N]; ./dev test runs it.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { binary, Signpost } from "../browser/signpost.mjs";

const PASSWORD = "quiet-river-7431";
const OWN_TOKEN = "conformance";

/** What no tool may try at random, and where it is tried by hand. */
const LEFT_OUT = [
    ["/api/v1/device/restart", "restarts the machine: tests/package"],
    ["/api/v1/device/name", "names the machine: src/http/tests, tests/package"],
    ["/api/v1/device/time", "sets the machine's clock: src/http/tests, tests/package"],
    ["/api/v1/checks/golden-clip", "reads a clip for seconds each time: tests/browser"],
    ["/api/v1/stream.mjpeg", "has no end: tests/http.rs, tests/browser"],
    ["/api/v1/knock", "is a WebSocket: tests/browser"],
];

/** Not asked for: that every text is an offer, a model or a certificate. */
const CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
];

const { values } = parseArgs({
    options: {
        requests: { type: "string", default: "5000" },
        seed: { type: "string", default: `${Math.floor(Math.random() * 1e6)}` },
    },
});
const wanted = Number(values.requests);

const state = mkdtempSync(join(tmpdir(), "signpost-api-"));
const env = { STATE_DIRECTORY: state, SIGNPOST_SESSIONS__OFFERS_PER_MINUTE: "60000" };
const log = [];
let signpost;
let failed;

async function post(path, body, token) {
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(new URL(path, signpost.url), { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
}

/** Runs schemathesis; resolves with its exit code and the number of requests. */
async function schemathesis(token, examples) {
    const report = join(state, "report.ndjson");
    const words = ["run", new URL("/api/v1/openapi.json", signpost.url).href, "--header", `Authorization: Bearer ${token}`];
    words.push("--phases", "examples,coverage,fuzzing", "--checks", CHECKS.join(","), "--seed", values.seed);
    words.push("--max-examples", `${examples}`, "--continue-on-failure", "--request-timeout", "60", "--no-color");
    words.push("--suppress-health-check", "all", "--warnings", "off", "--report", "ndjson", "--report-ndjson-path", report);
    for (const [path] of LEFT_OUT) words.push("--exclude-path", path);
    const program = process.env.SIGNPOST_SCHEMATHESIS ?? "schemathesis";
    const python = { SCHEMATHESIS_HOOKS: "hooks", PYTHONPATH: fileURLToPath(new URL(".", import.meta.url)), PYTHONDONTWRITEBYTECODE: "1", SIGNPOST_OWN_TOKEN: OWN_TOKEN };
    const child = spawn(program, words, { cwd: state, stdio: "inherit", env: { ...process.env, ...python } });
    const [code] = await once(child, "close");
    return { code, requests: count(report) };
}

/** Requests that were answered, of a report of events. */
function count(report) {
    return readFileSync(report, "utf8").split('"status_code":').length - 1;
}

try {
    execFileSync(binary, ["password"], { input: `${PASSWORD}\n`, env: { ...process.env, ...env } });
    signpost = await Signpost.start(["--source", "test", "--listen", "127.0.0.1:0"], { env, onLine: (line) => log.push(line) });
    const login = await post("/api/v1/login", { password: PASSWORD });
    // Not by the login: who tries every route ends that.
    const { token } = await post("/api/v1/tokens", { name: OWN_TOKEN, role: "administrator" }, login.token);
    const document = await (await fetch(new URL("/api/v1/openapi.json", signpost.url), { headers: { authorization: `Bearer ${token}` } })).json();
    const operations = Object.values(document.paths).flatMap(Object.keys).length;
    const { code, requests } = await schemathesis(token, Math.ceil((1.3 * wanted) / operations));

    const answer = await fetch(new URL("/api/v1/status", signpost.url), { headers: { authorization: `Bearer ${token}` } });
    const panics = log.filter((line) => /panic/i.test(line));
    console.log(`left out: ${LEFT_OUT.map(([path, why]) => `${path} (${why})`).join("; ")}`);
    console.log(`${requests} requests (at least ${wanted}), seed ${values.seed}; status afterwards ${answer.status}; ${panics.length} panics in the log`);
    failed = code !== 0 || requests < wanted || answer.status !== 200 || panics.length > 0;
    for (const line of panics) console.error(line);
} finally {
    const code = await signpost?.stop();
    if (code !== 0) console.error(`signpost ended with ${code}`);
    failed ??= true;
    failed ||= code !== 0;
    rmSync(state, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
