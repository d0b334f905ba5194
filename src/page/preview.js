// The picture beside the settings: as on the live page, without what is read in it.

import { make } from "./dom.js";
import { transport } from "./memory.js";
import { Picture } from "./picture.js";
import { Viewing } from "./viewing.js";
import { Ways } from "./ways.js";
import { words } from "./words.js";

/** A stage that shows a camera for as long as the page is open. */
export function preview(camera) {
    const line = make("p", { class: "line" });
    const stage = make("div", { class: "stage preview", role: "group", "aria-label": words.video }, line);
    const pictures = new WeakMap();
    let shown;
    const nothing = () => {};
    const viewing = new Viewing({
        changed: () => {
            ways.observe(performance.now());
            line.textContent = viewing.ladder.name === "over" && !ways.mjpeg ? words.problems[viewing.reason?.kind ?? "lost"].title : "";
        },
        track: (connection, stream, receiver) => {
            const onFrame = (picture) => {
                viewing.frame(connection);
                if (viewing.connection !== connection || shown === picture) return;
                shown?.remove();
                shown = picture;
            };
            pictures.set(connection, new Picture(stage, stream, receiver, { onFrame, onRefused: nothing }));
        },
        unseen: (connection) => Boolean(pictures.get(connection)?.refused),
        shown: nothing,
        dropped: (connection) => pictures.get(connection) !== shown && pictures.get(connection)?.remove(),
        prediction: nothing, command: nothing, link: nothing, repair: nothing, suspicious: nothing, stalled: nothing,
        unauthorised: () => location.replace("/login"),
    });
    const ways = new Ways({
        stage, viewing, picture: nothing, changed: nothing,
        line: (text) => (line.textContent = text),
        unauthorised: () => location.replace("/login"),
    }, transport());
    ways.camera = camera;
    ways.start();
    setInterval(() => ways.look(performance.now()), 1000);
    addEventListener("pagehide", () => ways.stop());
    addEventListener("pageshow", ({ persisted }) => persisted && ways.start());
    return stage;
}
