"""Trains the fingerspelling classifier and writes the bundle one folder up.

    python train.py PHOTOS [--work DIR] [--signpost PROGRAM]

Composes clips from the photographs (compose.py), finds landmarks with the
program's own cascade, fits the classifier (learn.py) and replaces
fingerspelling.tflite, labels.txt and the checksum in manifest.toml. Everything
that chance decides has a fixed seed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import bundle
import learn
import poses


def prepare(photos, work, signpost):
    """Clips and their landmarks; what exists whole is kept."""
    if not work.exists():
        compose, part = Path(__file__).with_name("compose.py"), work.with_name(work.name + ".part")
        subprocess.run([sys.executable, str(compose), str(photos), str(part)], check=True)
        part.rename(work)
    for clip in sorted(work.glob("moved-*.mp4")) + sorted(work.glob("stills-*.mp4")):
        poses.read(signpost, clip)


def arguments(doc):
    args = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    args.add_argument("photos", type=Path, help="folder with one folder of photographs a letter")
    args.add_argument("--work", type=Path, default=Path("work"), help="clips and landmarks are kept here")
    args.add_argument("--signpost", default="signpost", help="the program that finds landmarks")
    return args.parse_args()


def main():
    args = arguments(__doc__)
    prepare(args.photos, args.work, args.signpost)
    model = learn.fit(poses.pool(args.work))
    size = bundle.save(model, poses.BUNDLE, (poses.BUNDLE / "manifest.toml").read_text())
    print(f"{poses.BUNDLE}: {size} bytes")


if __name__ == "__main__":
    main()
