// The picture over the whole screen, with what is drawn on it.

import { put } from "./dom.js";
import { words } from "./words.js";

const KEY = "f";

/**
 * Has `button` and the key f show `stage` over the whole screen, and back. An iPhone gives
 * the whole screen to a bare video alone: there the stage fills the window.
 */
export function offerFullScreen(stage, button) {
    const fills = () => document.fullscreenElement === stage || stage.classList.contains("filling");
    const show = () => {
        put(button.firstElementChild, fills() ? words.leaveFullScreen : words.fullScreen);
    };
    const fillWindow = (on) => {
        stage.classList.toggle("filling", on);
        for (const other of document.querySelectorAll("header, main > :not(#stage)")) other.inert = on;
        show();
    };
    const toggle = async () => {
        if (document.fullscreenElement === stage) return document.exitFullscreen();
        if (stage.classList.contains("filling")) return fillWindow(false);
        try {
            await stage.requestFullscreen();
        } catch {
            fillWindow(true);
        }
    };
    button.addEventListener("click", toggle);
    document.addEventListener("fullscreenchange", show);
    addEventListener("keydown", (event) => {
        if (event.key === "Escape" && stage.classList.contains("filling")) fillWindow(false);
        // A key alone counts at the picture and nowhere else (WCAG 2.1.4): others may dictate.
        const { activeElement: focus } = document;
        const here = focus === document.body || stage.contains(focus);
        if (!here || event.key.toLowerCase() !== KEY || event.ctrlKey || event.metaKey || event.altKey) return;
        toggle();
    });
    show();
}
