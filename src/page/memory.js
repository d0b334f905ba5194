// What a tab remembers over a reload of the page.

/** Where a reload finds the session that it goes on with. */
const SESSION_KEY = "signpost.session";
/** When the page last loaded itself again, in ms since 1970. */
const RELOADED_KEY = "signpost.reloaded";
/** If it did not help, it will not help soon. */
const RELOAD_EVERY_MS = 60_000;
/** How the picture shall come, for all tabs and visits. */
const TRANSPORT_KEY = "signpost.transport";

/** A reload finds its session; a copy of the tab does not, or the two would share one. */
export function takeSession() {
    try {
        const session = sessionStorage.getItem(SESSION_KEY) ?? undefined;
        sessionStorage.removeItem(SESSION_KEY);
        return session;
    } catch {
        return undefined; // The browser may be told to keep nothing.
    }
}

export function leaveSession(session) {
    try {
        if (session) sessionStorage.setItem(SESSION_KEY, session);
    } catch {
        // Then a reload gets a new session.
    }
}

/** What ails this page's browser is gone with the page (see Connection.stalled). */
export function reload() {
    try {
        const last = Number(sessionStorage.getItem(RELOADED_KEY) ?? -Infinity);
        if (Date.now() - last < RELOAD_EVERY_MS) return;
        sessionStorage.setItem(RELOADED_KEY, `${Date.now()}`);
    } catch {
        return; // Without a memory it could go on for ever.
    }
    location.reload();
}

/** auto, webrtc or mjpeg. */
export function transport() {
    try {
        return ["webrtc", "mjpeg"].find((choice) => choice === localStorage.getItem(TRANSPORT_KEY)) ?? "auto";
    } catch {
        return "auto";
    }
}

export function keepTransport(choice) {
    try {
        localStorage.setItem(TRANSPORT_KEY, choice);
    } catch {
        // Then the next visit begins with automatic.
    }
}

/** The camera of the page's address, `?camera=NAME`, so that it can be passed on. */
export const cameraOfAddress = () => new URL(location.href).searchParams.get("camera") ?? undefined;

export function keepCamera(name) {
    const address = new URL(location.href);
    address.searchParams.set("camera", name);
    history.replaceState(null, "", address);
}
