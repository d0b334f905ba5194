// The service is stopped while viewers come up and while they watch: it ends well, however
// far their connections have come.

import { Signpost } from "../browser/signpost.mjs";
import { chromiumPath, launchToKill, Viewer } from "../browser/viewer.mjs";
import { chance, SHORT_S, sleep, within } from "./processes.mjs";

export const limit_s = ({ short }) => (short ? SHORT_S : 1200);

const VIEWERS = 12;
/** From before the first answer until all watch. */
const LATEST_STOP_MS = 1500;

/** Runs in the page: opens connections beside each other and waits for none. */
async function connect(count) {
    const { Connection } = await import("/page/connection.js");
    const words = ["phase", "answered", "track", "heard", "prediction", "command", "ended"];
    const deaf = Object.fromEntries(words.map((word) => [word, () => {}]));
    // Kept, or the browser may collect them.
    window.opened = Array.from({ length: count }, () => new Connection(deaf));
    for (const connection of window.opened) connection.open({ servers: async () => [] });
}

export async function run(stage) {
    const stops = stage.choose(200, 10);
    const random = chance(stage.seed);
    const env = { SIGNPOST_SESSIONS__MAX_VIEWERS: `${VIEWERS}`, SIGNPOST_MODEL__RUNTIME: "none" };
    const { browser, kill } = await launchToKill(chromiumPath);
    stage.finally(kill);
    const [ends, answered] = [[], []];
    for (let stop = 0; stop < stops; stop += 1) {
        const device = await Signpost.start(["--source", "test", "--listen", "127.0.0.1:0", "--open"], { env });
        stage.finally(() => device.stop().catch(() => {}));
        const viewer = await Viewer.open(browser, device.url);
        // The page's own connection leaves the places to the others.
        await viewer.page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide")));
        await viewer.page.evaluate(connect, VIEWERS);
        await sleep((random() * LATEST_STOP_MS) / 1000);
        const offers = async () => (await (await fetch(`${device.url}api/v1/status`)).json()).sessions.answered;
        // On a busy machine every stop may come before the second answer; the last one does not.
        if (stop === stops - 1) await within(30, async () => (await offers()) > 1);
        answered.push(await offers());
        const end = await device.stop().catch((error) => error.message.split("\n")[0]);
        ends.push(end ?? "killed after 10 s");
        await viewer.close();
    }
    const well = ends.filter((end) => end === 0).length;
    const others = [...new Set(ends.filter((end) => end !== 0))].join("; ");
    stage.row(`stopped while up to ${VIEWERS} viewers connect, seed ${stage.seed}: ended well`, `${stops} of ${stops}`, `${well} of ${stops}${others && `: ${others}`}`, well === stops);
    const most = Math.max(...answered);
    stage.row("(offers answered before a stop)", "-", `${Math.min(...answered)} to ${most}`, most > 1);
}
