// The real release binary, started and ended by a test.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Loading the models and the first picture take a few seconds on a busy machine. */
const START_LIMIT_MS = 60_000;
const END_LIMIT_MS = 10_000;
const CRASHES = ["SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP"];
/** Lines of the log that are kept to explain a failure. */
const KEPT_LINES = 200;

export const binary =
    process.env.SIGNPOST_BINARY ?? fileURLToPath(new URL("../../target/release/signpost", import.meta.url));

export class Signpost {
    #process;
    log = [];

    /**
     * Starts `signpost run ARGS` and waits until it listens. `env` is added to
     * the environment; `within` is a command in front of it, such as nsenter;
     * `onLine` is given every line of the log; `socket` is the number of a listening
     * socket, which it is given as systemd would. `url` is its first address, `secure` the one
     * of HTTPS, if ARGS ask for it.
     */
    static async start(args, { env = {}, within = [], onLine = () => {}, socket } = {}) {
        const signpost = new Signpost();
        // The process that takes the socket has to be named, and its id is not known here.
        const named = socket === undefined ? [] : ["sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh"];
        const [program, ...rest] = [...within, ...named, binary, "run", ...args];
        const child = spawn(program, rest, {
            env: { ...process.env, ...env },
            stdio: ["ignore", "pipe", "pipe", ...(socket === undefined ? [] : [socket])],
        });
        signpost.#process = child;
        createInterface({ input: child.stderr }).on("line", (line) => {
            onLine(line);
            signpost.log.push(line);
            if (signpost.log.length > KEPT_LINES) signpost.log.shift();
        });
        const wanted = args.includes("--listen-https") ? 2 : 1;
        [signpost.url, signpost.secure] = await signpost.#listening(wanted);
        return signpost;
    }

    get pid() {
        return this.#process.pid;
    }

    /**
     * Ends the program, if a test has not; resolves with its exit code when it is gone and its
     * log read. Throws if it crashed, now or before.
     */
    async stop() {
        const child = this.#process;
        if (child.exitCode === null && child.signalCode === null) {
            const gone = once(child, "close");
            child.kill("SIGTERM");
            const limit = setTimeout(() => child.kill("SIGKILL"), END_LIMIT_MS);
            await gone;
            clearTimeout(limit);
        }
        const { exitCode, signalCode } = child;
        if (CRASHES.includes(signalCode)) throw new Error(`signpost: ${signalCode}\n${this.log.join("\n")}`);
        return exitCode;
    }

    /** The first lines on standard output are `listening http://ADDR:PORT/`, one an address. */
    async #listening(wanted) {
        const lines = createInterface({ input: this.#process.stdout });
        const urls = [];
        const limit = setTimeout(() => this.#process.kill("SIGKILL"), START_LIMIT_MS);
        const told = new Promise((resolve) => {
            lines.on("line", (line) => {
                urls.push(/^listening (https?:\/\/\S+\/)$/.exec(line)?.[1]);
                if (urls.length === wanted || !urls.at(-1)) resolve(line);
            });
        });
        const line = await Promise.race([
            told,
            once(this.#process, "error").then(([error]) => `${error.message}: build it first: ./dev test does`),
            once(this.#process, "close").then(() => "it ended before it listened"),
        ]);
        clearTimeout(limit);
        if (urls.length >= wanted && urls.every(Boolean)) return urls;
        this.#process.kill("SIGKILL");
        throw new Error(`signpost run: ${line}\n${this.log.join("\n")}`);
    }
}

/** What `/api/v1/status` says. */
export async function status(signpost) {
    return (await fetch(new URL("/api/v1/status", signpost.url))).json();
}

/** Waits until `reached` of the status holds. */
export async function eventually(signpost, reached, limit_s = 30) {
    const deadline = performance.now() + limit_s * 1000;
    for (;;) {
        const now = await status(signpost);
        if (reached(now)) return now;
        assert.ok(performance.now() < deadline, `not within ${limit_s} s: ${reached}: ${JSON.stringify(now)}`);
        await delay(50);
    }
}
