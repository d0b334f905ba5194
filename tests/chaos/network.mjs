// A device and its visitors, each in a network namespace of its own, joined by
// signpost-relay (tests/relay), which delays, loses, and narrows on demand.
//
// A namespace lives as long as a process in it, here a `cat` that ends with this
// program, so nothing stays behind. Without root all lie in a user namespace.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { DEVICE, hold, isRoot, run } from "../browser/network.mjs";
import { built } from "./processes.mjs";

/** What tbf in facts had: 200 ms at 1 Mbit/s, the buffer of a plain access point. */
export const QUEUE_BYTES = 25_000;

export class Middle {
    #holders = [];
    #folder = mkdtempSync(join(tmpdir(), "signpost-chaos-"));
    #relay;
    #answers;

    /** `names` of the visitors: the first gets 192.0.2.2, and so on. */
    static async make(names, { seed = 1 } = {}) {
        const middle = new Middle();
        try {
            await middle.#lay(names, seed);
        } catch (error) {
            await middle.remove();
            throw new Error(
                `cannot make a network of namespaces (${error.message.trim()}): run as root, ` +
                    "or allow user namespaces, and let /dev/net/tun be opened",
            );
        }
        return middle;
    }

    get onDevice() {
        return this.#enter(0);
    }

    /** The command that runs another one on a visitor's computer. */
    on(name) {
        return this.#enter(1 + this.names.indexOf(name));
    }

    /** A program file that runs `program` on a visitor's computer. */
    program(name, program) {
        const path = join(this.#folder, name);
        const words = [...this.on(name), program].map((word) => `'${word}'`).join(" ");
        writeFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`);
        chmodSync(path, 0o755);
        return path;
    }

    /** New settings for a visitor's link, from now on: `set("ann", "down", { rate_bps: 1e6 })`. */
    async set(name, direction, settings) {
        const changes = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
        const answer = await this.#tell([name, direction, ...changes].join(" "));
        if (answer !== "ok") throw new Error(`relay: ${answer}`);
    }

    /** Packets and bytes of every link so far. */
    async stats() {
        return JSON.parse(await this.#tell("stats"));
    }

    /** Gives a visitor another address, as a phone gets one on another network. */
    move(name, from, to) {
        const ip = (...words) => run([...this.on(name), "ip", ...words]);
        // In this order: with the first address of a subnet Linux takes the others away.
        ip("address", "del", `${from}/24`, "dev", "cable");
        ip("address", "add", `${to}/24`, "dev", "cable");
    }

    async remove() {
        if (this.#relay?.exitCode === null) {
            this.#relay.stdin.end();
            const limit = setTimeout(() => this.#relay.kill("SIGKILL"), 2000);
            await once(this.#relay, "exit").catch(() => {});
            clearTimeout(limit);
        }
        for (const holder of this.#holders) holder.stdin.end();
        rmSync(this.#folder, { recursive: true, force: true });
    }

    async #lay(names, seed) {
        this.names = names;
        this.#holders.push(await hold(["unshare", ...(isRoot ? [] : ["--user", "--map-root-user"]), "--net"]));
        for (const _ of names) this.#holders.push(await hold([...this.onDevice, "unshare", "--net"]));
        const visitors = names.flatMap((name, i) => ["--visitor", `${name}:${this.#holders[i + 1].pid}:192.0.2.${i + 2}`]);
        const words = [...this.onDevice, built("signpost-relay"), "--seed", `${seed}`, "--device", `${this.#holders[0].pid}`, ...visitors];
        this.#relay = spawn(words[0], words.slice(1), { stdio: ["pipe", "pipe", "pipe"] });
        // Who tells it something when it has ended hears so from its answers.
        this.#relay.stdin.on("error", () => {});
        let said = "";
        this.#relay.stderr.on("data", (data) => (said += data));
        const ended = once(this.#relay, "exit").then(() => {
            throw new Error(`the relay ended: ${said}`);
        });
        ended.catch(() => {});
        const lines = createInterface({ input: this.#relay.stdout })[Symbol.asyncIterator]();
        this.#answers = () => Promise.race([lines.next().then(({ value }) => value), ended]);
        await this.#answers();
        for (const enter of [this.onDevice, ...names.map((name) => this.on(name))]) {
            run([...enter, "ip", "link", "set", "lo", "up"]);
        }
    }

    /** One line, one answer, one at a time. */
    #tell(line) {
        const told = (this.#last ?? Promise.resolve()).then(() => {
            this.#relay.stdin.write(`${line}\n`);
            return this.#answers();
        });
        this.#last = told.catch(() => {});
        return told;
    }
    #last;

    #enter(number) {
        const user = isRoot ? [] : ["--user", "--preserve-credentials"];
        return ["nsenter", "--target", `${this.#holders[number].pid}`, ...user, "--net", "--"];
    }
}

/** More networks on the device, as a machine with containers has them; nobody answers there. */
export function addInterfaces(middle, count) {
    for (let i = 0; i < count; i += 1) {
        const name = `spare${i}`;
        // A cable whose other end has no address: not every kernel has dummy devices.
        run([...middle.onDevice, "ip", "link", "add", name, "type", "veth", "peer", "name", `${name}end`]);
        run([...middle.onDevice, "ip", "link", "set", `${name}end`, "up"]);
        run([...middle.onDevice, "ip", "address", "add", `198.51.100.${16 * i + 1}/28`, "dev", name]);
        run([...middle.onDevice, "ip", "link", "set", name, "up"]);
    }
}

export { DEVICE };
