// What a visitor's page does. Each function runs inside the browser, so it stands alone
// but for `window.soon` and `window.look`.

/** Given to every page as `window.soon`: what a promise gives, or an error after 20 s. */
export function soon(promise, what) {
    const late = new Promise((_, reject) => {
        setTimeout(() => reject(new Error(`${what}: not within 20 s`)), 20_000);
    });
    return Promise.race([promise, late]);
}

/** Given to every page as `window.look`: mean and deviation of a track's first picture, and what moved in 45. */
export async function look(track) {
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = new MediaStream([track]);
    await window.soon(video.play(), "the picture's begin");
    const grid = async () => {
        await window.soon(new Promise((resolve) => video.requestVideoFrameCallback(resolve)), "a picture");
        const context = new OffscreenCanvas(64, 36).getContext("2d");
        context.drawImage(video, 0, 0, 64, 36);
        const { data } = context.getImageData(0, 0, 64, 36);
        return Array.from({ length: 64 * 36 }, (_, i) => data[4 * i + 1]);
    };
    const first = await grid();
    let moved = 0;
    for (let i = 0; i < 45; i += 1) {
        const now = await grid();
        moved = Math.max(moved, now.filter((value, k) => Math.abs(value - first[k]) > 16).length / now.length);
    }
    const mean = first.reduce((sum, value) => sum + value, 0) / first.length;
    const variance = first.reduce((sum, value) => sum + (value - mean) ** 2, 0) / first.length;
    return { mean, deviation: Math.sqrt(variance), moved };
}

/** GET of JSON. */
export async function asks(path) {
    return (await fetch(path)).json();
}

/** Makes `count` offers without candidates one after the other; status, text and time of each answer. */
export async function offers(count) {
    const answers = [];
    for (let i = 0; i < count; i += 1) {
        const peer = new RTCPeerConnection();
        peer.addTransceiver("video", { direction: "recvonly" });
        const { sdp } = await peer.createOffer();
        const started = performance.now();
        const headers = { "Content-Type": "application/sdp" };
        const answer = await fetch("/whep", { method: "POST", headers, body: sdp });
        answers.push({ status: answer.status, text: await answer.text(), ms: performance.now() - started });
        peer.close();
        if (answer.ok) await fetch(answer.headers.get("location"), { method: "DELETE" });
    }
    return answers;
}

/** Watches with the device's ICE servers: the answer, and the brightness of what is shown. */
export async function meets(settings) {
    const { iceServers } = await (await fetch("/api/v1/ice-servers")).json();
    const peer = new RTCPeerConnection({ ...settings, iceServers });
    peer.addTransceiver("video", { direction: "recvonly" });
    const track = new Promise((resolve) => (peer.ontrack = (event) => resolve(event.track)));
    await peer.setLocalDescription();
    const gathered = new Promise((resolve) => {
        peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
    });
    await window.soon(gathered, "all candidates");
    const headers = { "Content-Type": "application/sdp" };
    const reply = await fetch("/whep", { method: "POST", headers, body: peer.localDescription.sdp });
    const answer = await reply.text();
    if (!reply.ok) return { status: reply.status, answer };
    await peer.setRemoteDescription({ type: "answer", sdp: answer });
    return { status: reply.status, answer, ...(await window.look(await window.soon(track, "a track"))) };
}

/** Plays `url` with whip-whep for 45 pictures: their brightness, and what the player could read. */
export async function plays(url) {
    const { WHEPClient } = await import("/whep.js");
    let etag;
    const ask = window.fetch;
    window.fetch = async (...request) => {
        const answer = await ask(...request);
        etag ??= answer.headers.get("etag");
        return answer;
    };
    const peer = new RTCPeerConnection();
    // As players do that know nothing of the other side; there is no sound.
    peer.addTransceiver("audio", { direction: "recvonly" });
    peer.addTransceiver("video", { direction: "recvonly" });
    const track = new Promise((resolve) => {
        peer.ontrack = (event) => event.track.kind === "video" && resolve(event.track);
    });
    const player = new WHEPClient();
    await player.view(peer, url);
    const seen = await window.look(await window.soon(track, "a track"));
    const { iceServers } = peer.getConfiguration();
    await player.stop();
    const servers = iceServers.map(({ urls, username, credential }) => ({ urls, username, credential }));
    return { ...seen, etag, resource: player.resourceURL.href, iceServers: servers };
}

/** Gives a page what the functions above need. */
export function equip(page) {
    return page.addInitScript(`window.soon = ${soon}; window.look = ${look};`);
}
