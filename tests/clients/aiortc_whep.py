"""A WHEP client of aiortc: offers codecs, looks at pictures, ends the session.

    aiortc_whep.py WHEP_URL CODEC..      (h264, vp8)

Prints what it saw as one line of JSON. aiortc offers with all its candidates, and sound
too, which there is none of.
"""

import asyncio
import json
import sys
import urllib.request
from urllib.parse import urljoin

from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

PICTURES = 45
"""More than a second of them: time enough for something to move."""

PATIENCE_S = 30


def request(method, url, body=None):
    """The status, headers and text of an answer; an error's text says what was wrong."""
    headers = {"Content-Type": "application/sdp"} if body else {}
    wanted = urllib.request.Request(url, body and body.encode(), headers, method=method)
    try:
        with urllib.request.urlopen(wanted, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{method} {url}: {error.status} {error.read().decode()}") from None


def luma(frame):
    """A coarse grid of the picture's brightness; aiortc's decoders give planar pictures."""
    rows, width = bytes(frame.planes[0]), frame.planes[0].line_size
    return [rows[y * width + x] for y in range(4, frame.height, 8) for x in range(4, frame.width, 8)]


async def look(track):
    """Mean and deviation of the first picture, and the share that changed since."""
    frame = await track.recv()
    first, size, moved = luma(frame), [frame.width, frame.height], 0.0
    for _ in range(PICTURES):
        changes = sum(abs(a - b) > 16 for a, b in zip(first, luma(await track.recv())))
        moved = max(moved, changes / len(first))
    mean = sum(first) / len(first)
    deviation = (sum((value - mean) ** 2 for value in first) / len(first)) ** 0.5
    return {"mean": mean, "deviation": deviation, "moved": moved, "size": size}


async def watch(url, codecs):
    connection = RTCPeerConnection()
    connection.addTransceiver("audio", direction="recvonly")
    transceiver = connection.addTransceiver("video", direction="recvonly")
    known = RTCRtpReceiver.getCapabilities("video").codecs
    wanted = [codec for codec in known if codec.mimeType.lower().removeprefix("video/") in codecs]
    transceiver.setCodecPreferences(wanted)
    await connection.setLocalDescription(await connection.createOffer())
    offer = connection.localDescription.sdp
    status, headers, answer = await asyncio.to_thread(request, "POST", url, offer)
    session = urljoin(url, headers["Location"])
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    seen = await look(transceiver.receiver.track)
    ended, _, _ = await asyncio.to_thread(request, "DELETE", session)
    await connection.close()
    offered = {"offered_candidates": offer.count("a=candidate:")}
    return {"answered": status, "ended": ended, "answer": answer, **offered, **seen}


if __name__ == "__main__":
    url, *codecs = sys.argv[1:]
    print(json.dumps(asyncio.run(asyncio.wait_for(watch(url, codecs), 2 * PATIENCE_S))))
