// A router as a STUN server sees it: UDP packets to it go on from another address of its own.
//
// router.mjs ADDRESS PORT: passes packets on to ADDRESS:PORT and answers back. Prints its
// own port; ends with its standard input.

import { createSocket } from "node:dgram";

const [address, port] = process.argv.slice(2);
const inside = createSocket("udp4");
/** The outer socket of each inner host; a test has a few. */
const mapped = new Map();

inside.on("message", (packet, { address: host, port: from }) => {
    const key = `${host}:${from}`;
    if (!mapped.has(key)) {
        const outside = createSocket("udp4").bind(0, address);
        outside.on("message", (answer) => inside.send(answer, from, host));
        mapped.set(key, outside);
    }
    mapped.get(key).send(packet, Number(port), address);
});
inside.bind(0, address, () => console.log(inside.address().port));
process.stdin.on("end", () => process.exit()).resume();
