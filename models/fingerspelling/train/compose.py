"""Makes clips out of the photographs, for `signpost read` to find landmarks in.

    python compose.py PHOTOS OUT

writes, for each signer, `stills-<signer>.mp4` (each photograph on black as
data/README.md says), `moved-<signer>.mp4` (each under a little motion, other
size, turn and light, before a made-up background) and a few
`spelled-<signer>-<n>.mp4` (words, 1 s a sign, 8 frames without a hand between
signs and 24 between words). `<clip>.json` lists what stands where.
"""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

SIZE = (640, 480)
FPS = 30
BLACK = Image.new("RGB", SIZE)
WORDS = Path(__file__).with_name("words.txt")


class Clip:
    """An H.264 clip that is being written, and the list of its signs."""

    def __init__(self, path):
        self.path, self.signs, self.frames = path, [], 0
        size = f"width={SIZE[0]} height={SIZE[1]} framerate={FPS}/1"
        line = (
            f"fdsrc ! rawvideoparse format=rgb {size} ! videoconvert ! video/x-raw,format=I420 "
            "! x264enc pass=quant quantizer=20 bframes=0 speed-preset=veryfast threads=1 "
            f"! video/x-h264,profile=main ! mp4mux ! filesink location={path}"
        )
        self.writer = subprocess.Popen(["gst-launch-1.0", "-q", *line.split()], stdin=subprocess.PIPE)

    def add(self, image):
        self.writer.stdin.write(image.tobytes())
        self.frames += 1

    def close(self, **more):
        self.writer.stdin.close()
        if self.writer.wait():
            raise SystemExit(f"{self.path}: GStreamer could not write it; install gstreamer1.0-plugins-ugly (x264enc)")
        note = dict(fps=FPS, frames=self.frames, signs=self.signs, **more)
        self.path.with_suffix(".json").write_text(json.dumps(note))


def background(rng):
    """Soft blotches with a few sharp boxes."""
    small = Image.fromarray(rng.integers(0, 255, (8, 10, 3), dtype=np.uint8))
    out = small.resize(SIZE, Image.BICUBIC).filter(ImageFilter.GaussianBlur(12))
    pen = ImageDraw.Draw(out)
    for _ in range(rng.integers(0, 8)):
        x, y, w, h = (int(v) for v in rng.integers([0, 0, 20, 20], [600, 440, 140, 140]))
        pen.rectangle([x, y, x + w, y + h], fill=tuple(int(v) for v in rng.integers(0, 255, 3)))
    return out


def cut_out(photo):
    """Photograph and mask: what is not the black background, without specks."""
    r, g, b = photo.split()
    bright = ImageChops.lighter(ImageChops.lighter(r, g), b).point(lambda v: 255 if v > 16 else 0)
    return bright.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.GaussianBlur(0.8))


class Moving:
    """A photograph under slow motion before a background."""

    def __init__(self, photo, rng, much):
        self.mask, self.rng = cut_out(photo), rng
        photo = ImageEnhance.Brightness(photo).enhance(float(np.exp(rng.normal(0, 0.2 * much))))
        blur = rng.uniform(0, 1.2) * much
        self.photo = photo.filter(ImageFilter.GaussianBlur(blur)) if blur > 0.3 else photo
        self.size = rng.uniform(0.55, 1.0) if much else rng.uniform(0.68, 0.82)
        self.turn = rng.normal(0, np.radians(8)) * much
        stretch = np.exp(rng.normal(0, 0.04 * much))
        self.lens = np.array([[stretch, rng.normal(0, 0.05 * much)], [0, 1 / stretch]])
        self.at = np.array([320 + rng.uniform(-60, 60), 240 + rng.uniform(-25, 25)])
        self.phase, self.hertz, self.reach = rng.uniform(0, 6.28, 4), rng.uniform(0.4, 1.2), rng.uniform(2, 10)

    def frame(self, seconds, behind):
        wave = np.sin(2 * np.pi * self.hertz * seconds + self.phase)
        a = self.turn + 0.035 * wave[2]
        m = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ self.lens * self.size * (1 + 0.02 * wave[3])
        to = self.at + self.reach * wave[:2]
        back = np.linalg.inv(m)
        centre = np.array(self.photo.size) / 2 - back @ to
        affine = (*back[0], centre[0], *back[1], centre[1])
        hand, mask = (i.transform(SIZE, Image.AFFINE, affine, Image.BILINEAR) for i in (self.photo, self.mask))
        return Image.composite(hand, behind, mask)


def photographs(root):
    """Letter, signer and file of every letter's photograph."""
    for folder in sorted(Path(root).iterdir()):
        if folder.is_dir() and folder.name in "abcdefghijklmnopqrstuvwxyz":
            for file in sorted(folder.iterdir()):
                yield folder.name, file.name.split("_")[0], file


def note(clip, letter, file, frames):
    clip.signs.append(dict(sign=letter, image=file.name, first=clip.frames, frames=frames))


def stills(clip, photos):
    for letter, file in photos:
        page = BLACK.copy()
        page.paste(Image.open(file).convert("RGB"), (120, 40))
        note(clip, letter, file, 2)
        for image in (page, page, BLACK, BLACK):
            clip.add(image)
    clip.close()


def moved(clip, photos, rng):
    for letter, file in photos:
        behind = background(rng)
        hand = Moving(Image.open(file).convert("RGB"), rng, 1.0)
        note(clip, letter, file, 10)
        for k in range(10):
            clip.add(hand.frame(k / FPS, behind))
        for _ in range(2):
            clip.add(behind)
    clip.close()


def spelled(clip, photos, text, rng):
    behind, by = background(rng), {}
    for letter, file in photos:
        by.setdefault(letter, []).append(file)
    pause = lambda n: [clip.add(behind) for _ in range(n)]  # noqa: E731
    pause(15)
    for c in text:
        if c == " ":
            pause(16)
            continue
        file = by[c][rng.integers(len(by[c]))]
        hand = Moving(Image.open(file).convert("RGB"), rng, 0.0)
        note(clip, c, file, 30)
        for k in range(30):
            clip.add(hand.frame(k / FPS, behind))
        pause(8)
    pause(10)
    clip.close(text=text)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("photos", type=Path)
    args.add_argument("out", type=Path)
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    texts = WORDS.read_text().split("\n")
    by = {}
    for letter, signer, file in photographs(args.photos):
        by.setdefault(signer, []).append((letter, file))
    for n, (signer, photos) in enumerate(sorted(by.items())):
        rng = np.random.default_rng([args.seed, n])
        stills(Clip(args.out / f"stills-{signer}.mp4"), photos)
        moved(Clip(args.out / f"moved-{signer}.mp4"), photos, rng)
        for i, text in enumerate(t for t in texts if t):
            spelled(Clip(args.out / f"spelled-{signer}-{i}.mp4"), photos, text, rng)


if __name__ == "__main__":
    main()
