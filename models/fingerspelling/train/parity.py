"""Writes parity.json: made-up windows and the tensors that training makes of them.

src/recognition/normalise.rs is tested against it.
"""

import json
from pathlib import Path

import numpy as np

import windows

ASPECT = 0.75


def window(rng, side):
    """Hands in picture fractions, some frames without one, one side misjudged."""
    points = rng.uniform(0.2, 0.8, (windows.T, 21, 3)) * [1, 1, 0.2]
    points[:, 0, 2] = 0
    present = rng.random(windows.T) < 0.8
    left = np.where(side == "left", 1.0, -1.0) * rng.uniform(0.6, 1, windows.T)
    left[3] *= -1
    points, left = points.round(4), left.round(4)
    rows = windows.tensor((points * [1, ASPECT, 1])[None], present[None].astype(float), left[None])[0]
    frames = [
        dict(side="left" if l > 0 else "right", score=abs(l), landmarks=p.tolist()) if here else None
        for p, here, l in zip(points, present, left)
    ]
    return dict(frames=frames, rows=rows.reshape(-1).astype(float).round(4).tolist())


def main():
    rng = np.random.default_rng(7)
    cases = [window(rng, side) for side in ("right", "left")]
    text = json.dumps(dict(aspect=ASPECT, windows=cases), separators=(",", ":"))
    Path(__file__).with_name("parity.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
