// What all pages have above their content: where to go, who is logged in, the language.

import { Refused, request } from "./api.js";
import { at, choice, make } from "./dom.js";
import { fill, language, languages, speak, words } from "./words.js";

const RANKS = ["viewer", "operator", "administrator"];

/** Every page with the role that it needs. */
const PAGES = [
    { name: "live", path: "/", role: "viewer" },
    { name: "settings", path: "/settings", role: "viewer" },
    { name: "diagnostics", path: "/diagnostics", role: "operator" },
    { name: "trust", path: "/trust", role: "viewer" },
];

/** Whether somebody of a role may do what needs another. */
export const may = (role, needed) => RANKS.indexOf(role) >= RANKS.indexOf(needed);

/** The pages that somebody of this role can open. */
export const pagesFor = (role) => PAGES.filter((page) => may(role, page.role));

/**
 * Fills the page with its words and its header; resolves to who is logged in, as
 * GET /api/v1/me tells it. `leave` is called before a logout.
 */
export async function shell({ leave = () => {} } = {}) {
    fill(document);
    const menu = make("div", { id: "menu", class: "menu" });
    at("header").append(opener(menu), menu);
    const who = make("span", { id: "who", class: "who" });
    const out = make("button", { id: "log-out", class: "quiet", type: "button", textContent: words.logOut, hidden: true });
    out.addEventListener("click", () => logOut(leave));
    const links = make("nav", { "aria-label": words.pages });
    menu.append(links, who, languageChoice(), out);
    const me = await whoAmI();
    links.append(...pagesFor(me.role).map(link));
    const name = me.user ?? me.token;
    who.textContent = name ? words.loggedIn(name, me.role) : "";
    out.hidden = !me.user;
    return me;
}

/** On a narrow screen the header's parts are behind a button; on a wide one it is not shown. */
function opener(menu) {
    const button = make("button", {
        class: "quiet opener", type: "button", textContent: words.menu, "aria-expanded": "false", "aria-controls": menu.id,
    });
    const open = (on) => button.setAttribute("aria-expanded", String(on));
    button.addEventListener("click", () => open(button.getAttribute("aria-expanded") !== "true"));
    addEventListener("keydown", ({ key }) => {
        if (key !== "Escape" || button.getAttribute("aria-expanded") !== "true") return;
        open(false);
        button.focus();
    });
    return button;
}

function link({ name, path }) {
    const here = location.pathname === path;
    return make("a", { href: path, textContent: words.nav[name], "aria-current": here ? "page" : undefined });
}

export function languageChoice() {
    const entries = languages.map((name) => [name, words.languages[name]]);
    const select = choice("language", entries, language, { class: "quiet", "aria-label": words.language });
    select.addEventListener("change", () => speak(select.value));
    return select;
}

async function whoAmI() {
    try {
        return await request("GET", "/api/v1/me");
    } catch (error) {
        if (error instanceof Refused && error.status === 401 && location.pathname !== "/trust") location.replace("/login");
        // Without an answer nobody is offered what may be refused.
        return { role: "viewer" };
    }
}

async function logOut(leave) {
    leave();
    await request("POST", "/api/v1/logout").catch(() => {});
    location.replace("/login");
}
