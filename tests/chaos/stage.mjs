// What a scenario gets: its own network, its own release binary, browsers and
// visitors, and an end to all of them whatever happens.

import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { binary, Signpost } from "../browser/signpost.mjs";
import { chromiumPath, launchToKill, Viewer } from "../browser/viewer.mjs";
import { DEVICE, Middle } from "./network.mjs";
import { watchPresented } from "./presented.mjs";
import { built, Visitor } from "./processes.mjs";

/** For a page to load: a machine that runs other scenarios at the same time is busy. */
const PAGE_MS = 120_000;
/** As src/cli/log. */
const LINES_PER_S = 5;
/** Lines are counted as they come out of the pipe, up to a second late: over so long. */
const LINES_OVER_S = 10;
const LINES_LATE_S = 1;
const PASSWORD = "quiet-river-7431";

export class Stage {
    rows = [];
    /** Every line of the device's log, and when it came (performance.now()). */
    lines = [];
    #ends = [];
    #ending;
    #asked = new Set();
    #env = {};
    #token = {};

    constructor({ short, seed, minutes }) {
        this.short = short;
        this.seed = seed;
        this.minutes = minutes;
    }

    /** One of two numbers: that of a full run, or that of a short one. */
    choose(full, short) {
        return this.short ? short : full;
    }

    /** Behind a goal whose bound is another one in the short form. */
    get coarse() {
        return this.short ? " (short form: coarse)" : "";
    }

    row(figure, goal, measured, met = true) {
        this.rows.push({ figure, goal, measured: `${measured}`, met: Boolean(met) });
    }

    /** A row for the log: at most five lines a second, whatever viewers do. */
    logRow(load) {
        let worst = [];
        let first = 0;
        this.lines.forEach(({ at }, last) => {
            while (this.lines[first].at <= at - 1000 * LINES_OVER_S) first += 1;
            if (last - first >= worst.length) worst = this.lines.slice(first, last + 1);
        });
        const most = LINES_PER_S * (LINES_OVER_S + LINES_LATE_S);
        const met = worst.length <= most;
        this.row(`${load}: lines of the log in any ${LINES_OVER_S} s`, `<= ${most}`, `${worst.length}, ${this.lines.length} in all`, met);
        if (!met) for (const { line } of worst) console.error(`too many lines: ${line}`);
    }

    /** `work` is done when the scenario ends; the last one first, and at once if it has ended. */
    finally(work) {
        if (this.#ending) this.#do(work);
        else this.#ends.push(work);
    }

    /** Ends everything; from then on nothing can be started. Who asks again waits for the same end. */
    end() {
        this.#ending ??= this.#endAll();
        return this.#ending;
    }

    async #endAll() {
        for (const child of this.#asked) child.kill("SIGKILL");
        for (const work of this.#ends.splice(0).reverse()) await this.#do(work);
    }

    async #do(work) {
        try {
            await work();
        } catch (error) {
            this.row("cleaning up", "done", error.message, false);
        }
    }

    /** A scenario that is over its limit does not know that it has ended. */
    #goesOn() {
        if (this.#ending) throw new Error("the scenario has ended");
    }

    /** What takes a while to start is ended too if the scenario's end comes meanwhile. */
    #starting(started, end) {
        // Its start has a limit of its own.
        this.finally(() => started.then(end, () => {}));
        return started;
    }

    /** Namespaces for the device and these visitors; what starts later starts in them. */
    async network(...names) {
        this.#goesOn();
        const middle = await this.#starting(Middle.make(names, { seed: this.seed }), (made) => made.remove());
        this.middle = middle;
        return middle;
    }

    /** The release binary: on loopback, or in the device's namespace with a login. */
    async signpost({ env = {}, source = "test", recognition = false, onLine = () => {} } = {}) {
        this.#goesOn();
        const folder = mkdtempSync(join(tmpdir(), "signpost-chaos-state-"));
        this.finally(() => rmSync(folder, { recursive: true, force: true }));
        this.#env = { STATE_DIRECTORY: folder, ...env };
        // Without its library recognition fails once, says so, and costs nothing from then on.
        if (!recognition) this.#env.SIGNPOST_MODEL__RUNTIME = join(folder, "none");
        const words = ["--source", source, "--listen", this.middle ? `${DEVICE}:0` : "127.0.0.1:0"];
        if (this.middle) {
            execFileSync(binary, ["password"], { input: `${PASSWORD}\n`, env: { ...process.env, ...this.#env }, stdio: ["pipe", "ignore", "inherit"] });
        } else words.push("--open");
        const heard = (line) => {
            this.lines.push({ at: performance.now(), line });
            onLine(line);
        };
        const started = Signpost.start(words, { env: this.#env, within: this.middle?.onDevice ?? [], onLine: heard });
        this.device = await this.#starting(started, (device) => device.stop());
        if (this.middle) {
            const { token } = JSON.parse(await this.#ask("login", this.device.url, PASSWORD));
            this.#token = { SIGNPOST_TOKEN: token };
        }
        return this.device;
    }

    /** `/api/v1/status`, asked for on the device itself, so that no link delays it. */
    async status() {
        return JSON.parse(await this.#ask("get", this.device.url, "/api/v1/status"));
    }

    /** A signpost-visitor at one of the network's places, or on loopback; killed at the end. */
    visitor(words, name, env = {}) {
        this.#goesOn();
        const within = name ? this.middle.on(name) : this.middle?.onDevice;
        const visitor = new Visitor(words, { within, env: { ...this.#token, ...env } });
        this.finally(() => visitor.kill());
        return visitor;
    }

    /** A person with a browser, whose picture flows. */
    async browser(name) {
        this.#goesOn();
        const launched = launchToKill(name ? this.middle.program(name, chromiumPath) : chromiumPath);
        const { browser, kill } = await this.#starting(launched, (it) => it.kill());
        const viewer = await Viewer.open(browser, "about:blank");
        viewer.kill = kill;
        viewer.page.setDefaultTimeout(PAGE_MS);
        await watchPresented(viewer.page);
        await viewer.page.goto(this.device.url);
        if (new URL(viewer.page.url()).pathname === "/login") {
            await viewer.page.getByLabel("Password").fill(PASSWORD);
            await viewer.page.keyboard.press("Enter");
            await viewer.page.waitForURL(this.device.url);
        }
        await viewer.connects();
        return viewer;
    }

    async #ask(...words) {
        this.#goesOn();
        const [program, ...rest] = [...(this.middle?.onDevice ?? []), built("signpost-visitor"), ...words];
        const env = { ...process.env, ...this.#token };
        const asked = promisify(execFile)(program, rest, { env, timeout: 60_000, maxBuffer: 1 << 22 });
        this.#asked.add(asked.child);
        try {
            return (await asked).stdout;
        } finally {
            this.#asked.delete(asked.child);
        }
    }
}
