// The models: which there are, which one reads, bringing and removing.

import { Refused, request } from "./api.js";
import { action, card, outcome } from "./card.js";
import { make, table } from "./dom.js";
import { words } from "./words.js";

/** A model is tried before it is answered: the device gives that this long itself. */
const TRIAL_LIMIT_MS = 490_000;

export async function modelCard() {
    const told = outcome();
    const body = make("div", {});
    const refresh = async () => body.replaceChildren(...shown(await request("GET", "/api/v1/models"), told, refresh));
    await refresh();
    return card("model", words.settings.sections.model, body, upload(told, refresh), make("p", {}, told.line));
}

function shown({ models, put_back: back }, told, refresh) {
    const named = ({ name, version }) => words.settings.model.title(name, version);
    const rows = models.map((model) => [
        make("div", {}, make("strong", { textContent: named(model) }), about(model)),
        words.settings.model.states[model.state] ?? model.state,
        make("div", { class: "actions" }, actions(model, told, refresh)),
    ]);
    const { caption, columns } = words.settings.model;
    return [
        back ? make("p", { class: "remark", textContent: words.settings.model.putBack(back.model, back.reason) }) : "",
        make("div", { class: "scroll", tabIndex: 0, role: "group", "aria-label": caption }, table(caption, columns, rows)),
    ];
}

function about({ task, licence, origin, signs }) {
    const said = words.settings.model;
    return make("details", {},
        make("summary", { textContent: said.card }),
        make("dl", {},
            make("dt", { textContent: said.task }), make("dd", { textContent: said.tasks[task] ?? task }),
            make("dt", { textContent: said.signs(signs.length) }), make("dd", { textContent: signs.join(" ") }),
            make("dt", { textContent: said.licence }), make("dd", { textContent: licence }),
            make("dt", { textContent: said.origin }), make("dd", { textContent: said.origins[origin] ?? origin })));
}

function actions(model, told, refresh) {
    const { id, name, version, state, origin } = model;
    const said = words.settings.model;
    const title = said.title(name, version);
    const reads = state === "active" || state === "trial";
    const use = action(state === "before" ? said.goBack : said.use, told, async () => {
        await request("PUT", "/api/v1/models/active", { name: id }, { limit_ms: TRIAL_LIMIT_MS });
        await refresh();
        return said.used(title);
    }, { "aria-label": words.named(state === "before" ? said.goBack : said.use, title) });
    const remove = action(said.remove, told, async () => {
        if (!confirm(said.sure(title))) return undefined;
        await request("DELETE", `/api/v1/models/${encodeURIComponent(id)}`);
        await refresh();
        return said.removed(title);
    }, { "aria-label": words.named(said.remove, title) });
    return [!reads && use, !reads && origin === "brought" && remove];
}

function upload(told, refresh) {
    const said = words.settings.model;
    const file = make("input", { type: "file", id: "model-file", accept: ".tar,.gz,.tgz,application/gzip,application/x-tar" });
    const progress = make("progress", { max: 1, value: 0, hidden: true, "aria-label": said.progress });
    const send = action(said.bring, told, async () => {
        if (!file.files[0]) throw said.noFile;
        progress.hidden = false;
        try {
            const model = await sent(file.files[0], (share) => {
                progress.value = share;
                if (share === 1) told.good(said.trying);
            });
            await refresh();
            file.value = "";
            return said.brought(said.title(model.name, model.version));
        } finally {
            progress.hidden = true;
        }
    }, { class: "" });
    return make("div", { class: "entry" }, make("label", { htmlFor: file.id, textContent: said.file }), file,
        make("p", { class: "help", textContent: said.fileHelp }), progress, make("p", {}, send));
}

/** Not fetch, which does not say how much of a file has been sent. */
function sent(file, onProgress) {
    return new Promise((resolve, reject) => {
        const asked = new XMLHttpRequest();
        asked.open("POST", "/api/v1/models");
        asked.timeout = TRIAL_LIMIT_MS;
        asked.responseType = "json";
        asked.setRequestHeader("Content-Type", file.name.endsWith(".tar") ? "application/x-tar" : "application/gzip");
        asked.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
        asked.onload = () => (asked.status < 300 ? resolve(asked.response) : reject(new Refused(asked.status, asked.response ?? {})));
        asked.onerror = asked.ontimeout = () => reject(words.problems.unreachable.title);
        asked.send(file);
    });
}
