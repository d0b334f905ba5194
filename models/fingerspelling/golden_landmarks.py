#!/usr/bin/env python3
"""Golden landmarks: what MediaPipe finds in the golden clip.

Reference for the landmark cascade, made without it:

    python3 -m venv venv && venv/bin/pip install mediapipe==0.10.21
    venv/bin/python golden_landmarks.py

reads golden.mp4 beside this script and writes golden.landmarks.jsonl, one line
a frame: {"frame": i, "hands": [{"handedness", "score", "landmarks": 21 x [x, y, z]}]},
in fractions as MediaPipe gives them, rounded to 5 decimals (0.003 pixels).
"""

import json
import pathlib
import sys

import cv2
import mediapipe

VERSION = "0.10.21"


def hands(result):
    """The hands of one frame as they are written."""
    if not result.multi_hand_landmarks:
        return []
    found = []
    for side, hand in zip(result.multi_handedness, result.multi_hand_landmarks):
        label = side.classification[0]
        found.append(
            {
                "handedness": label.label,
                "score": round(label.score, 5),
                "landmarks": [[round(v, 5) for v in (p.x, p.y, p.z)] for p in hand.landmark],
            }
        )
    return found


def main():
    if mediapipe.__version__ != VERSION:
        sys.exit(f"golden landmarks need mediapipe {VERSION}, found {mediapipe.__version__}")
    folder = pathlib.Path(__file__).parent
    clip = cv2.VideoCapture(str(folder / "golden.mp4"))
    if not clip.isOpened():
        sys.exit("golden.mp4 cannot be read; see tests/signer/README.md for the command that makes it")
    tracker = mediapipe.solutions.hands.Hands(
        static_image_mode=False, max_num_hands=1, model_complexity=1
    )
    with open(folder / "golden.landmarks.jsonl", "w", encoding="ascii") as out:
        frame = 0
        while True:
            ok, bgr = clip.read()
            if not ok:
                break
            result = tracker.process(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
            json.dump({"frame": frame, "hands": hands(result)}, out, separators=(",", ":"))
            out.write("\n")
            frame += 1
    print(f"{frame} frames")


if __name__ == "__main__":
    main()
