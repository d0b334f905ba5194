// A stream of pictures (multipart/x-mixed-replace) taken apart. Pure: bytes in, pictures out.

/** A picture of 4K at the device's quality is under 2 MB. */
const PICTURE_LIMIT_BYTES = 8 * 1024 * 1024;
/** Boundary and header fields of a part are some 100 bytes. */
const HEAD_LIMIT_BYTES = 4096;

const END_OF_HEAD = [13, 10, 13, 10];

export class Parts {
    #held = new Uint8Array(0);

    /** The pictures that are complete with these bytes. Throws where this is no such stream. */
    feed(bytes) {
        const all = new Uint8Array(this.#held.length + bytes.length);
        all.set(this.#held);
        all.set(bytes, this.#held.length);
        const pictures = [];
        let from = 0;
        for (;;) {
            const body = endOfHead(all, from);
            if (body === undefined) break;
            const length = lengthIn(all.subarray(from, body));
            if (all.length < body + length) break;
            pictures.push(all.slice(body, body + length));
            from = body + length;
        }
        this.#held = all.slice(from);
        return pictures;
    }
}

function endOfHead(all, from) {
    const last = Math.min(all.length - END_OF_HEAD.length, from + HEAD_LIMIT_BYTES);
    for (let at = from; at <= last; at += 1) {
        if (END_OF_HEAD.every((byte, i) => all[at + i] === byte)) return at + END_OF_HEAD.length;
    }
    if (all.length - from > HEAD_LIMIT_BYTES) throw new Error("a part without an end of its head");
    return undefined;
}

function lengthIn(head) {
    const [, digits] = /content-length: *(\d+)/i.exec(new TextDecoder().decode(head)) ?? [];
    const length = Number(digits);
    if (!(length <= PICTURE_LIMIT_BYTES)) throw new Error(`a part of ${digits ?? "unknown"} bytes`);
    return length;
}
