// Who may come in: users, tokens for programs, and who has logged in.

import { request } from "./api.js";
import { action, card, form, labelled, outcome } from "./card.js";
import { choice, make, table } from "./dom.js";
import { words } from "./words.js";

const said = words.settings.access;
const roles = Object.entries(words.roles);

export async function accessCards({ me }) {
    return Promise.all([users(me), tokens(), logins()]);
}

/** For everybody who has a password. */
export function accountCard({ me }) {
    return me.user ? [card("account", said.own, ownPassword())] : [];
}

/** A table that is read anew after each change. */
async function listed(path, rows, caption, columns, told) {
    const body = make("div", { class: "scroll", tabIndex: 0, role: "group", "aria-label": caption });
    const refresh = async () => {
        const list = rows(await request("GET", path), refresh, told);
        body.replaceChildren(list.length > 0 ? table(caption, columns, list) : make("p", { class: "help", textContent: said.none }));
    };
    await refresh();
    return { body, refresh };
}

const place = (path, name) => `${path}/${encodeURIComponent(name)}`;

async function users(me) {
    const told = outcome();
    const rows = ({ users: all }, refresh) => all.map(({ name, role }) => [
        name,
        name === "admin" ? words.roles[role] : roleOf(name, role, told),
        make("div", { class: "actions" }, passwordOf(name, told), name !== "admin" && name !== me.user && remover(place("/api/v1/users", name), name, refresh, told)),
    ]);
    const { body, refresh } = await listed("/api/v1/users", rows, said.users, said.userColumns, told);
    return card("users", said.users, body, make("p", {}, told.line), newUser(refresh));
}

function roleOf(name, role, told) {
    const select = choice(`role-of-${name}`, roles, role, { "aria-label": said.roleOf(name) });
    select.addEventListener("change", async () => {
        try {
            await request("PATCH", place("/api/v1/users", name), { role: select.value });
            told.good(words.settings.saved);
        } catch (error) {
            told.bad(error);
        }
    });
    return select;
}

/** A small form in place of a button, when it is wanted. */
function passwordOf(name, told) {
    const button = make("button", { type: "button", class: "quiet", textContent: said.setPassword, "aria-label": words.named(said.setPassword, name) });
    button.addEventListener("click", () => {
        const id = `password-of-${name}`;
        const field = labelled(id, said.passwordOf(name), make("input", { type: "password", autocomplete: "new-password" }), words.setup.rule);
        const set = form(words.named(said.setPassword, name), said.setPassword, outcome(), async () => {
            await request("PATCH", place("/api/v1/users", name), { password: field.input.value }, { limit_ms: 10_000 });
            set.replaceWith(button);
            button.focus();
            told.good(said.passwordSet(name));
        }, field.row);
        button.replaceWith(set);
        field.input.focus();
    });
    return button;
}

function remover(path, name, refresh, told) {
    return action(said.remove, told, async () => {
        if (!confirm(said.sure(name))) return undefined;
        await request("DELETE", path);
        await refresh();
        return said.removed(name);
    }, { "aria-label": words.named(said.remove, name) });
}

function newUser(refresh) {
    const name = labelled("user-name", said.name, make("input", { autocomplete: "off", autocapitalize: "none", spellcheck: false }));
    const role = labelled("user-role", said.role, choice("user-role", roles, "viewer"), said.roleHelp);
    const password = labelled("user-password", words.login.password, make("input", { type: "password", autocomplete: "new-password" }), words.setup.rule);
    const add = async () => {
        const body = { name: name.input.value.trim(), role: role.input.value, password: password.input.value };
        await request("POST", "/api/v1/users", body, { limit_ms: 10_000 });
        [name, password].forEach(({ input }) => (input.value = ""));
        await refresh();
        return said.added(body.name);
    };
    return folded(said.addUser, form(said.addUser, said.add, outcome(), add, name.row, role.row, password.row));
}

function ownPassword() {
    const present = labelled("own-present", said.present, make("input", { type: "password", autocomplete: "current-password" }));
    const next = labelled("own-new", said.next, make("input", { type: "password", autocomplete: "new-password" }), words.setup.rule);
    const change = async () => {
        await request("PUT", "/api/v1/me/password", { present: present.input.value, new: next.input.value }, { limit_ms: 10_000 });
        [present, next].forEach(({ input }) => (input.value = ""));
        return said.ownChanged;
    };
    return form(said.own, said.change, outcome(), change, present.row, next.row);
}

const folded = (title, content) => make("details", {}, make("summary", { textContent: title }), content);

async function tokens() {
    const told = outcome();
    const rows = ({ tokens: all }, refresh) => all.map(({ name, role, made }) => [
        name, words.roles[role] ?? role, words.moment(made), remover(place("/api/v1/tokens", name), name, refresh, told),
    ]);
    const { body, refresh } = await listed("/api/v1/tokens", rows, said.tokens, said.tokenColumns, told);
    const name = labelled("token-name", said.name, make("input", { autocomplete: "off", autocapitalize: "none", spellcheck: false }));
    const role = labelled("token-role", said.role, choice("token-role", roles, "viewer"));
    // It is nowhere else, so it stays until the page is left.
    const made = make("p", { class: "secret", hidden: true });
    const add = async () => {
        const { token } = await request("POST", "/api/v1/tokens", { name: name.input.value.trim(), role: role.input.value });
        made.hidden = false;
        made.replaceChildren(said.tokenMade, make("code", { textContent: token }));
        name.input.value = "";
        await refresh();
    };
    return card("tokens", said.tokens, make("p", { class: "help", textContent: said.tokensHelp }), body, make("p", {}, told.line),
        folded(said.addToken, form(said.addToken, said.add, outcome(), add, name.row, role.row)), made);
}

async function logins() {
    const told = outcome();
    const rows = ({ logins: all }, refresh) => all.map(({ id, user, address, seconds_ago: ago_s, own }) => [
        user, address, words.ago(ago_s),
        own ? said.thisOne : action(said.end, told, async () => {
            await request("DELETE", place("/api/v1/logins", id));
            await refresh();
            return said.ended(user);
        }, { "aria-label": words.named(said.end, [user, address].join(", ")) }),
    ]);
    const { body } = await listed("/api/v1/logins", rows, said.logins, said.loginColumns, told);
    return card("logins", said.logins, body, make("p", {}, told.line));
}
