#!/usr/bin/env python3
"""CPU time for a frame: `signpost read` against MediaPipe Hands 0.10.21 on the same clip.

Both run on one CPU (affinity 0, which this script gives itself and so its children), one
after the other, several times; the least time of each counts, because whatever else the
machine does only adds. Decoding is left out on both sides: MediaPipe gets frames that are
already in memory, in blocks, and is timed by the process's CPU time, so all threads of its
graph are counted; `signpost read` times its recognition thread, classifier included, and its
models run on that thread alone.

Needs `mediapipe==0.10.21`:  python3 tests/figures/cpu.py [CLIP] [--signpost PROGRAM]
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUNDS = 3
# 150 frames of 640x480 are 138 MB.
BLOCK = 150


def mediapipe_ms(clip):
    """CPU milliseconds a frame, frames, frames with a hand."""
    import cv2
    import mediapipe

    hands = mediapipe.solutions.hands.Hands(
        static_image_mode=False,
        max_num_hands=1,
        model_complexity=1,
        min_detection_confidence=0.5,
        min_tracking_confidence=0.5,
    )
    video = cv2.VideoCapture(str(clip))
    cpu, frames, found = 0.0, 0, 0
    while True:
        block = []
        while len(block) < BLOCK:
            good, frame = video.read()
            if not good:
                break
            block.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        if not block:
            break
        start = time.process_time()
        results = [hands.process(frame).multi_hand_landmarks for frame in block]
        cpu += time.process_time() - start
        frames += len(block)
        found += sum(result is not None for result in results)
    return 1e3 * cpu / frames, frames, found


def ours_ms(program, clip):
    """CPU milliseconds a frame, frames, frames with a hand."""
    read = [program, "read", "--json", clip]
    run = subprocess.run(read, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    *lines, summary = [json.loads(line) for line in run.stdout.splitlines()]
    found = sum(len(line["hands"]) > 0 for line in lines)
    return 1e3 * summary["cpu_s"] / summary["frames"], summary["frames"], found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("clip", nargs="?", default=ROOT / "models/fingerspelling/golden.mp4")
    parser.add_argument("--signpost", default=ROOT / "target/release/signpost")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    theirs, ours = [], []
    for _ in range(ROUNDS):
        theirs.append(mediapipe_ms(arguments.clip))
        ours.append(ours_ms(arguments.signpost, arguments.clip))
        print("mediapipe %.2f ms, signpost %.2f ms" % (theirs[-1][0], ours[-1][0]), flush=True)
    least = [min(runs)[0] for runs in (theirs, ours)]
    print("frames: %d, %d; with a hand: %d, %d" % (*theirs[0][1:2], *ours[0][1:2], theirs[0][2], ours[0][2]))
    print("CPU for a frame: mediapipe %.2f ms, signpost %.2f ms, ratio %.3f" % (*least, least[1] / least[0]))
    sys.exit(least[1] > least[0])


if __name__ == "__main__":
    main()
