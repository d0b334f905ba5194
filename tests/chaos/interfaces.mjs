// A device with servers that nobody reaches and more interfaces than it needs.

import { addInterfaces } from "./network.mjs";
import { quantile } from "./processes.mjs";

/** RFC 5737 addresses: nothing answers there. */
const SERVERS =
    '["stun:203.0.113.1:3478", "stun:203.0.113.2:3478", ' +
    '{ urls = ["turn:203.0.113.3:3478"], username = "u", credential = "p" }]';

export const limit_s = ({ short }) => (short ? 90 : 400);

export async function run(stage) {
    const middle = await stage.network("ann");
    const { url } = await stage.signpost();
    const plain = await measure(stage, url);
    const warm = quantile(plain.answers, 0.5);
    stage.row("warm answer, median", "<= 20 ms", `${warm.toFixed(1)} ms`, warm <= 20);

    addInterfaces(middle, 10);
    const crowded = await stage.signpost({ env: { SIGNPOST_ICE__SERVERS: SERVERS } });
    const { answers, pictures } = await measure(stage, crowded.url);
    const late = quantile(pictures, 0.95);
    const seen = `${late.toFixed(0)} ms, answer ${quantile(answers, 0.5).toFixed(0)} ms in the median`;
    stage.row(`unreachable servers, ten interfaces: offer to picture, 95 % of ${pictures.length}`, "<= 1000 ms", seen, late <= 1000);
}

/** What visitors in turn wait for answer and first picture, in ms. */
async function measure(stage, url) {
    const times = { answers: [], pictures: [] };
    // The first one loads what all share.
    for (let i = 0; i <= stage.choose(100, 10); i += 1) {
        const viewer = stage.visitor(["watch", url, "--pictures", "1"], "ann");
        await viewer.watching();
        const at = (event) => viewer.lines.find((line) => line.event === event).ms;
        if (i > 0) {
            times.answers.push(at("answered"));
            times.pictures.push(at("first_picture"));
        }
        await viewer.ended;
    }
    return times;
}
