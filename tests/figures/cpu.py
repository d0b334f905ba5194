#!/usr/bin/env python3
"""CPU time for a frame: `signpost read` against MediaPipe Hands 0.10.21 on the same clip.

Both run on one CPU (affinity 0, which this script gives itself and so its children), one
after the other, several times; the least time of each counts, because whatever else the
machine does only adds. Decoding is left out on both sides: MediaPipe gets frames that are
already in memory, in blocks, and is timed by the process's CPU time, so all threads of its
graph are counted; `signpost read` times its recognition thread, classifier included, and its
models run on that thread alone.

Needs `mediapipe==0.10.21`:  python3 tests/figures/cpu.py [CLIP ..] [--signpost PROGRAM]
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
# Of MediaPipe's time; the two models alone are about 0.72.
MOST = 0.85
# Of the data folder.
CLIPS = ["hello-world", "pangram"]


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


def ours_ms(program, clip, threads=1):
    """CPU milliseconds a frame, frames, frames with a hand; two hands are allowed here."""
    read = [program, "read", "--json", clip]
    environment = {**os.environ, "SIGNPOST_MODEL__THREADS": str(threads)}
    run = subprocess.run(read, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    *lines, summary = [json.loads(line) for line in run.stdout.splitlines()]
    found = sum(len(line["hands"]) > 0 for line in lines)
    return 1e3 * summary["cpu_s"] / summary["frames"], summary["frames"], found


def wall_ms(program, clip, threads):
    """Milliseconds of one frame in the whole program, decoding included."""
    start = time.monotonic()
    frames = ours_ms(program, clip, threads)[1]
    return 1e3 * (time.monotonic() - start) / frames


def compare(program, clip):
    """Prints both sides' times; whether ours is little enough."""
    theirs, ours = [], []
    for _ in range(ROUNDS):
        theirs.append(mediapipe_ms(clip))
        ours.append(ours_ms(program, clip))
    least = [min(runs)[0] for runs in (theirs, ours)]
    name, counts = pathlib.Path(clip).stem, (theirs[0][1], ours[0][1], theirs[0][2], ours[0][2])
    print("%s: frames %d, %d; with a hand %d, %d" % (name, *counts))
    print("CPU for a frame: mediapipe %.2f ms, signpost %.2f ms, ratio %.3f (goal: at most %.2f)" % (*least, least[1] / least[0], MOST))
    return least[1] <= MOST * least[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="*", help="in place of the data folder's")
    parser.add_argument("--signpost", default=ROOT / "target/release/signpost")
    arguments = parser.parse_args()
    data = pathlib.Path(os.environ.get("TEST_DATA_DIR", ROOT / "../shared/data"))
    clips = arguments.clips or [data / "clips" / f"{name}.mp4" for name in CLIPS]
    if not all(pathlib.Path(clip).exists() for clip in clips):
        sys.exit(f"skipped: no clips at {data}")
    all_cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_cpus)})
    good = [compare(arguments.signpost, clip) for clip in clips]
    os.sched_setaffinity(0, all_cpus)
    walls = [min(wall_ms(arguments.signpost, clips[0], threads) for _ in range(ROUNDS)) for threads in (1, 2)]
    print("wall time for a frame, decoding included: 1 thread %.2f ms, 2 threads %.2f ms" % tuple(walls))
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
