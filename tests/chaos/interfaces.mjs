// A device with servers that nobody reaches and more interfaces than it needs.

import { addInterfaces } from "./network.mjs";
import { quantile, SHORT_S } from "./processes.mjs";

/** RFC 5737 addresses: nothing answers there. */
const SERVERS =
    '["stun:203.0.113.1:3478", "stun:203.0.113.2:3478", ' +
    '{ urls = ["turn:203.0.113.3:3478"], username = "u", credential = "p" }]';

export const limit_s = ({ short }) => (short ? SHORT_S : 1200);

export async function run(stage) {
    const middle = await stage.network("ann");
    const { url } = await stage.signpost();
    const plain = await measure(stage, url);
    const warm = quantile(plain.answers, 0.5);
    const prompt = stage.choose(20, 1000);
    stage.row("warm answer, median", `<= ${prompt} ms${stage.coarse}`, `${warm.toFixed(1)} ms`, warm <= prompt);

    addInterfaces(middle, 10);
    const crowded = await stage.signpost({ env: { SIGNPOST_ICE__SERVERS: SERVERS } });
    const { answers, pictures } = await measure(stage, crowded.url);
    const late = quantile(pictures, 0.95);
    const seen = `${late.toFixed(0)} ms, answer ${quantile(answers, 0.5).toFixed(0)} ms in the median`;
    const allowed = stage.choose(1000, 15_000);
    stage.row(`unreachable servers, ten interfaces: offer to picture, 95 % of ${pictures.length}`, `<= ${allowed} ms${stage.coarse}`, seen, late <= allowed);
}

/** What visitors in turn wait for answer and first picture, in ms. */
async function measure(stage, url) {
    const times = { answers: [], pictures: [] };
    // The first one loads what all share.
    for (let i = 0; i <= stage.choose(100, 5); i += 1) {
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
