#!/usr/bin/env python3
"""Writes every photograph of the data folder, decoded by OpenCV (libjpeg) and pasted at
(120, 40) into a black 640x480 frame, as raw RGB to standard output, in the order of
photographs.rs. Needs `opencv-python-headless` (mediapipe 0.10.21 brings OpenCV along).
"""

import os
import pathlib
import sys

import cv2
import numpy as np

BESIDE = pathlib.Path(__file__).resolve().parents[2] / "../shared/data"


def main():
    data = pathlib.Path(os.environ.get("TEST_DATA_DIR", BESIDE))
    for path in sorted(data.glob("asl-hands/*/*.jpeg"), key=lambda path: path.parts):
        frame = np.zeros((480, 640, 3), np.uint8)
        frame[40:440, 120:520] = cv2.imread(str(path))[:, :, ::-1]
        sys.stdout.buffer.write(frame.tobytes())


if __name__ == "__main__":
    main()
