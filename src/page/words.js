// Every text that the pages show: one file for each language, of which only one is loaded.

/** Where this browser keeps its user's choice. */
const CHOICE_KEY = "signpost.language";

const FILES = {
    en: () => import("./words.en.js"),
    de: () => import("./words.de.js"),
};

export const languages = Object.keys(FILES);

/** The one chosen here, or the first that the browser wants and we have. */
export function pick(chosen, wanted = []) {
    const has = (tag) => languages.find((language) => tag?.toLowerCase().split("-")[0] === language);
    return has(chosen) ?? wanted.map(has).find(Boolean) ?? languages[0];
}

export const language = pick(stored(), globalThis.navigator?.languages);
export const { words } = await FILES[language]();

function stored() {
    try {
        return globalThis.localStorage?.getItem(CHOICE_KEY) ?? undefined;
    } catch {
        return undefined; // The browser may be told to keep nothing.
    }
}

/** Shows the pages in another language, from the next load on, which is now. */
export function speak(chosen) {
    try {
        localStorage.setItem(CHOICE_KEY, chosen);
    } catch {
        return; // Without a memory it would come back as it was.
    }
    location.reload();
}

/** The text of a key such as `login.intro`. */
export const text = (key) => key.split(".").reduce((inner, part) => inner[part], words);

/** Puts the texts into the elements that name them, such as `data-words="login.intro"`, and into the title. */
export function fill(root) {
    for (const element of root.querySelectorAll("[data-words]")) {
        element.textContent = text(element.dataset.words);
    }
    for (const element of root.querySelectorAll("[data-words-label]")) {
        element.setAttribute("aria-label", text(element.dataset.wordsLabel));
    }
    const page = root.documentElement;
    if (!page) return;
    page.lang = language;
    if (page.dataset.title) root.title = text(page.dataset.title);
}
