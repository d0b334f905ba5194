// HTTPS: what browsers are shown, and how another authority's certificate comes here.

import { Refused, request } from "./api.js";
import { action, card, outcome } from "./card.js";
import { bytes, make } from "./dom.js";
import { words } from "./words.js";

const said = words.settings.certificate;

export async function certificateCard() {
    const told = outcome();
    const body = make("div", {});
    const refresh = async () => body.replaceChildren(...shown(await request("GET", "/api/v1/tls"), told, refresh));
    await refresh();
    return card("certificate", words.settings.sections.certificate, body, make("p", {}, told.line));
}

function shown({ https, waiting, certificate, authority, source, left_out: leftOut, passed_over: passedOver }, told, refresh) {
    if (!https) return [make("p", { textContent: words.trust.none })];
    if (waiting) return [make("p", { textContent: words.trust.waiting(waiting) })];
    const remarks = [leftOut?.length > 0 && said.leftOut(leftOut.join(", ")), passedOver && said.passedOver(passedOver)].filter(Boolean);
    return [
        make("p", { textContent: said.sources[source] ?? source }),
        facts(certificate, said.fingerprint),
        source === "own" && authority ? facts(authority, said.authority) : "",
        ...remarks.map((textContent) => make("p", { class: "remark", textContent })),
        make("p", { class: "actions" },
            make("a", { class: "button quiet", href: "/trust", textContent: words.nav.trust }),
            make("a", { class: "button quiet", href: "/api/v1/tls/request", download: "signpost.csr", textContent: said.request }),
            source === "brought" && forget(told, refresh),
            source === "own" && renew(told, refresh)),
        bring(told, refresh),
    ];
}

function facts(certificate, label) {
    if (!certificate) return "";
    const { fingerprint, names = [], ends } = certificate;
    return make("dl", {},
        make("dt", { textContent: label }), make("dd", {}, make("code", { class: "fingerprint" }, bytes(fingerprint))),
        names.length > 0 ? [make("dt", { textContent: said.names }), make("dd", { textContent: names.join(", ") })] : [],
        ends ? [make("dt", { textContent: said.until }), make("dd", { textContent: words.moment(ends) })] : []);
}

function forget(told, refresh) {
    return action(said.own, told, async () => {
        await request("DELETE", "/api/v1/tls/certificate");
        await refresh();
        return said.ownShown;
    });
}

function renew(told, refresh) {
    return action(said.renew, told, async () => {
        if (!confirm(said.renewSure)) return undefined;
        await request("POST", "/api/v1/tls/authority", undefined, { limit_ms: 10_000 });
        await refresh();
        return said.renewed;
    });
}

function bring(told, refresh) {
    const file = make("input", { type: "file", id: "certificate-file", accept: ".pem,.crt,.cer,application/x-pem-file" });
    const send = action(said.bring, told, async () => {
        if (!file.files[0]) throw said.noFile;
        const response = await fetch("/api/v1/tls/certificate", {
            method: "PUT", headers: { "Content-Type": "application/x-pem-file" }, body: await file.files[0].text(),
        });
        if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
        await refresh();
        return said.brought;
    });
    return make("div", { class: "entry" }, make("label", { htmlFor: file.id, textContent: said.file }), file,
        make("p", { class: "help", textContent: said.fileHelp }), make("p", {}, send));
}
