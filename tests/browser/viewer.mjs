// A person with a browser: headless Chromium on the live page.

import { existsSync } from "node:fs";

import { chromium } from "playwright-core";

/** Debian calls it chromium, Raspberry Pi OS chromium-browser. */
export const chromiumPath =
    process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));

const ASK_EVERY_MS = 50;

export function launch(executablePath = chromiumPath) {
    return chromium.launch({ executablePath });
}

/** The same, with `kill()`: all its processes end at once, without a word to anybody. */
export async function launchToKill(executablePath = chromiumPath) {
    // Left to Playwright, a signal ends the whole program before others have cleaned up.
    const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
    const server = await chromium.launchServer({ executablePath, ...signals });
    const browser = await chromium.connect(server.wsEndpoint());
    return { browser, kill: () => server.kill() };
}

/** Whether `holds` in one of five tries: what a stall of the machine may keep from it. */
export async function once(holds) {
    for (let tries = 0; tries < 5; tries += 1) {
        if (await holds()) return true;
    }
    return false;
}

export class Viewer {
    /** Everything that the page said on its console as a warning or an error. */
    complaints = [];
    /** Hosts that the page asked for anything. */
    hosts = new Set();

    /** `script`: a function that runs in the page before its own scripts. */
    static async open(browser, url, { script, ...options } = {}) {
        const viewer = new Viewer();
        viewer.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
        if (script) await viewer.context.addInitScript(script);
        viewer.page = await viewer.context.newPage();
        viewer.page.on("console", (message) => {
            if (["error", "warning"].includes(message.type())) viewer.complaints.push(message.text());
        });
        viewer.page.on("pageerror", (error) => viewer.complaints.push(error.message));
        viewer.page.on("request", (request) => viewer.hosts.add(new URL(request.url()).host));
        await viewer.page.goto(url);
        return viewer;
    }

    close() {
        return this.context.close();
    }

    /** What the page says of itself (see live.js). */
    stats() {
        return this.page.evaluate(() => window.signpost.stats);
    }

    /**
     * Waits until an expression holds in the page, with `stats` for its figures:
     * `stats.frames > 5`. Asked from outside, because the page's policy forbids
     * eval, with which Playwright would wait inside.
     */
    async until(expression, limit_s = 60) {
        const deadline = performance.now() + limit_s * 1000;
        for (;;) {
            const late = performance.now() > deadline;
            // A page that has loaded still waits for its words.
            if (await this.page.evaluate(`window.signpost && (({ stats }) => ${expression})(window.signpost)`)) return;
            if (late) break;
            await this.page.waitForTimeout(ASK_EVERY_MS);
        }
        const stats = { ...(await this.stats()), rtpTimestamps: undefined };
        const problem = (await this.page.locator("#problem").innerText()).trim();
        throw new Error(`"${expression}" did not come true in ${limit_s} s: ${JSON.stringify(stats)} ${problem}`);
    }

    /**
     * Waits for the picture and connects again as a person would: on a machine
     * that is busy with its start, answers may come later than the page waits.
     */
    async connects() {
        for (let tries = 0; tries < 5; tries += 1) {
            await this.until("stats.phase === 'ended' || (stats.phase === 'live' && stats.frames > 3)");
            if ((await this.stats()).phase === "live") return;
            await this.page.getByRole("button", { name: "Connect again" }).click();
        }
        await this.until("stats.phase === 'live'");
    }

    /** Brightness of a coarse grid of the picture that is shown now: 64 x 36 values of 0..255. */
    picture() {
        return this.page.evaluate(() => {
            const canvas = new OffscreenCanvas(64, 36);
            const context = canvas.getContext("2d");
            context.drawImage(document.getElementById("video"), 0, 0, 64, 36);
            const { data } = context.getImageData(0, 0, 64, 36);
            return Array.from({ length: 64 * 36 }, (_, i) => (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 3);
        });
    }

    /** What is drawn over the picture: the share of pixels, and the box around them in fractions. */
    drawing() {
        return this.page.evaluate(() => {
            const canvas = document.getElementById("overlay");
            const { width, height } = canvas;
            // A copy: Chromium complains of a canvas that is read again and again.
            const context = new OffscreenCanvas(width, height).getContext("2d");
            context.drawImage(canvas, 0, 0);
            const { data } = context.getImageData(0, 0, width, height);
            const box = { left: 1, top: 1, right: 0, bottom: 0 };
            let count = 0;
            for (let i = 0; i < width * height; i += 1) {
                if (data[4 * i + 3] === 0) continue;
                count += 1;
                const x = (i % width) / width;
                const y = Math.floor(i / width) / height;
                box.left = Math.min(box.left, x);
                box.right = Math.max(box.right, x);
                box.top = Math.min(box.top, y);
                box.bottom = Math.max(box.bottom, y);
            }
            return { share: count / (width * height), ...box };
        });
    }

    /** Waits for a drawn hand and returns the drawing. */
    async handDrawn() {
        const before = (await this.stats()).drawn;
        await this.until(`stats.drawn > ${before} && document.getElementById("overlay").width > 0`);
        // Between two looks the hand may have gone: look again until one was caught.
        for (let tries = 0; tries < 20; tries += 1) {
            const drawing = await this.drawing();
            if (drawing.share > 0) return drawing;
            await this.until(`stats.drawn > ${(await this.stats()).drawn}`);
        }
        throw new Error("the page counts drawn hands, and none is on the canvas");
    }
}

/** Mean and standard deviation of brightness. */
export function spread(picture) {
    const mean = picture.reduce((sum, value) => sum + value, 0) / picture.length;
    const variance = picture.reduce((sum, value) => sum + (value - mean) ** 2, 0) / picture.length;
    return { mean, deviation: Math.sqrt(variance) };
}

/** Share of the grid that changed by more than noise. */
export function changed(before, after) {
    return before.filter((value, i) => Math.abs(value - after[i]) > 8).length / before.length;
}
