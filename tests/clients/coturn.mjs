// coturn on a computer of the test's network, with a user of its own; never the system's service.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_LIMIT_MS = 15_000;

export class Coturn {
    #process;
    #folder = mkdtempSync(join(tmpdir(), "signpost-coturn-"));

    username = "signpost";
    credential = "four:word/credential@here";

    /** Listens at `address`; `within` is a command in front of it, such as nsenter. */
    static async start(address, within) {
        const coturn = new Coturn();
        coturn.address = address;
        const config = join(coturn.#folder, "turnserver.conf");
        writeFileSync(config, coturn.#settings());
        const [program, ...rest] = [...within, "turnserver", "-v", "-c", config];
        coturn.#process = spawn(program, rest, { stdio: ["ignore", "pipe", "ignore"] });
        await coturn.#listening();
        return coturn;
    }

    async stop() {
        if (this.#process.exitCode === null) {
            const gone = once(this.#process, "exit");
            this.#process.kill("SIGKILL");
            await gone;
        }
        rmSync(this.#folder, { recursive: true });
    }

    #settings() {
        return [
            `listening-ip=${this.address}`,
            `relay-ip=${this.address}`,
            "listening-port=3478",
            "lt-cred-mech",
            "realm=signpost.test",
            `user=${this.username}:${this.credential}`,
            "no-tls",
            "no-dtls",
            "no-cli",
            "log-file=stdout",
            `pidfile=${join(this.#folder, "pid")}`,
            `userdb=${join(this.#folder, "users")}`,
            "",
        ].join("\n");
    }

    async #listening() {
        const said = [];
        const lines = createInterface({ input: this.#process.stdout });
        const limit = setTimeout(() => this.#process.kill("SIGKILL"), START_LIMIT_MS);
        const failed = once(this.#process, "error").then(([error]) => said.push(error.message));
        const ended = once(this.#process, "close");
        const ready = new Promise((resolve) => {
            lines.on("line", (line) => {
                if (said.length < 50) said.push(line);
                if (/UDP listener opened on *: /.test(line)) resolve("ready");
            });
        });
        const reached = await Promise.race([ready, ended, failed]);
        clearTimeout(limit);
        if (reached !== "ready") throw new Error(`turnserver (Debian package coturn): ${said.join("\n")}`);
    }
}
