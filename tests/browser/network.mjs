// Two hosts on a network of their own: two network namespaces and a cable (veth).
//
// A namespace lives as long as a process in it, here a `cat` that ends with the
// test, so nothing stays behind. Without root both lie in a user namespace.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** RFC 5737: addresses for documentation, so never those of a real network. */
export const DEVICE = "192.0.2.1";
export const VISITOR = "192.0.2.2";
const VISITOR_LATER = "192.0.2.3";
/** Checking an address takes one to two seconds. */
const SETTLING_LIMIT_MS = 5000;

export const isRoot = process.getuid() === 0;

export class Network {
    #holders = [];
    #folder = mkdtempSync(join(tmpdir(), "signpost-network-"));

    static async make() {
        const network = new Network();
        try {
            await network.#lay();
        } catch (error) {
            network.remove();
            throw new Error(
                `cannot make network namespaces (${error.message.trim()}): run the tests as root, ` +
                    "or allow user namespaces with: sysctl kernel.unprivileged_userns_clone=1",
            );
        }
        return network;
    }

    /** The command that runs another one on the device, or on the visitor's computer. */
    get onDevice() {
        return this.#enter(this.#holders[0].pid);
    }

    get onVisitor() {
        return this.#enter(this.#holders[1].pid);
    }

    /** A program file that runs `program` on the visitor's computer. */
    visitorsProgram(program) {
        const path = join(this.#folder, "program");
        const words = [...this.onVisitor, program].map((word) => `'${word}'`).join(" ");
        writeFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`);
        chmodSync(path, 0o755);
        return path;
    }

    /** `down` pulls the cable out at the device's end, `up` puts it in again. */
    cable(state) {
        run([...this.onDevice, "ip", "link", "set", "cable", state]);
    }

    /** The visitor's computer gets another address, as when it changes its network. */
    moveVisitor() {
        const ip = (...words) => run([...this.onVisitor, "ip", "address", ...words, "dev", "cable"]);
        // The first address of a network takes later ones with it, so it goes first.
        ip("del", `${VISITOR}/24`);
        ip("add", `${VISITOR_LATER}/24`);
    }

    remove() {
        for (const holder of this.#holders) holder.stdin.end();
        rmSync(this.#folder, { recursive: true, force: true });
    }

    async #lay() {
        this.#holders.push(await hold(["unshare", ...(isRoot ? [] : ["--user", "--map-root-user"]), "--net"]));
        this.#holders.push(await hold([...this.onDevice, "unshare", "--net"]));
        const device = (...words) => run([...this.onDevice, "ip", ...words]);
        const visitor = (...words) => run([...this.onVisitor, "ip", ...words]);
        device("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", `${this.#holders[1].pid}`);
        for (const [ip, address] of [[device, DEVICE], [visitor, VISITOR]]) {
            ip("link", "set", "lo", "up");
            ip("address", "add", `${address}/24`, "dev", "cable");
            ip("link", "set", "cable", "up");
        }
        await Promise.all([this.onDevice, this.onVisitor].map(settled));
    }

    #enter(pid) {
        const user = isRoot ? [] : ["--user", "--preserve-credentials"];
        return ["nsenter", "--target", `${pid}`, ...user, "--net", "--"];
    }
}

/**
 * Waits until the kernel has made and checked the cable's own IPv6 address (RFC 4862, 5.4).
 * A Chromium that starts while addresses change may look for no path in its first page.
 */
async function settled(within) {
    const [program, ...rest] = [...within, "ip", "-6", "-o", "address", "show", "dev", "cable"];
    for (const deadline = performance.now() + SETTLING_LIMIT_MS; performance.now() < deadline; await delay(50)) {
        const addresses = execFileSync(program, rest, { encoding: "utf8" });
        if (addresses.includes("inet6") && !addresses.includes("tentative")) return;
    }
    // A kernel without IPv6 makes no such address.
}

/** Starts a process that holds what `command` made, until its standard input ends. */
export async function hold([program, ...rest]) {
    const child = spawn(program, [...rest, "sh", "-c", "echo made; exec cat"], { stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    child.stderr.on("data", (data) => (said += data));
    const [result] = await Promise.race([once(child.stdout, "data"), once(child, "close"), once(child, "error")]);
    if (`${result}`.trim() === "made") return child;
    throw new Error(said || `${result.message ?? program}`);
}

export function run([program, ...rest]) {
    execFileSync(program, rest, { stdio: "pipe" });
}
