"""Landmarks as `signpost read --json` found them, and pools of pose sequences."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np

from windows import Pool

# Any bundle will do to find landmarks; the shipped one lies one folder up.
BUNDLE = Path(__file__).resolve().parent.parent


def read(signpost, clip):
    """Runs the program's own cascade over a clip, unless that was done before."""
    out = clip.with_suffix(".jsonl")
    if not out.exists():
        part = out.with_suffix(".part")
        with part.open("w") as lines:
            command = [signpost, "read", str(clip), "--json", "--model", str(BUNDLE)]
            subprocess.run(command, stdout=lines, check=True)
        os.replace(part, out)
    return out


def frames(path, aspect=0.75):
    """points [n, 21, 3] in picture widths, found [n], left [n]."""
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    hands = [line["hands"][:1] for line in lines if "hands" in line]
    points = np.zeros((len(hands), 21, 3), np.float32)
    for p, hand in zip(points, hands):
        if hand:
            p[:] = np.array(hand[0]["landmarks"]) * [1, aspect, 1]
    left = [bool(h) and h[0]["handedness"] == "left" for h in hands]
    return points, np.array([bool(h) for h in hands]), np.array(left)


def sequences(clip):
    """points [N, F, 21, 3], found [N, F], letter [N] and signer [N] of a clip's signs.

    All photographs show right hands: a hand that was taken for a left one
    stays as it is, a left hand that it looks like would be mirrored.
    """
    signs = json.loads(clip.with_suffix(".json").read_text())["signs"]
    points, found, _ = frames(clip.with_suffix(".jsonl"))
    pick = np.array([np.arange(s["first"], s["first"] + s["frames"]) for s in signs])
    letter = np.array([ord(s["sign"]) - ord("a") for s in signs])
    signer = np.array([int(s["image"].split("_")[0].removeprefix("hand")) for s in signs])
    return points[pick], found[pick], letter, signer


def pool(folder):
    """Each signer's moved photographs, and the still ones as sequences without motion."""
    out = None
    for clip in sorted(folder.glob("[ms]*-hand?.mp4"), key=lambda clip: (clip.stem[-1], clip.stem)):
        points, found, letter, signer = sequences(clip)
        repeat = 10 // points.shape[1]
        part = Pool.of(points.repeat(repeat, 1), found.repeat(repeat, 1), letter, signer)
        out = out.joined(part) if out else part
    return out
