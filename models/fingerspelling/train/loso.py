"""Leave one signer out: trains on the others, reads the one left out.

    python loso.py PHOTOS [--work DIR] [--signpost PROGRAM]

For each signer: accuracy over the stills (a photograph without a found hand is
wrong), over the 24 letters without motion and over all 26, and the signs read
in clips composed of that signer's photographs, through the whole program.
"""

import difflib
import json
import subprocess

import numpy as np

import bundle
import learn
import poses
import train
import windows

MOTION = [windows.J, windows.Z]


def stills(model, clip):
    """Right answers on a clip of stills: for the 24 letters and for all 26."""
    points, found, letter, _ = poses.sequences(clip)
    seen = found.any(1)
    first = np.where(seen, found.argmax(1), 0)
    pose = points[np.arange(len(points)), first]
    rows = windows.tensor(pose[:, None].repeat(windows.T, 1), seen[:, None].repeat(windows.T, 1))
    answer = model.predict(rows, verbose=0, batch_size=256).argmax(1)
    right = seen & (answer == letter)
    still = ~np.isin(letter, MOTION)
    for a, b in sorted({(a, b) for a, b in zip(letter[seen], answer[seen]) if a != b}):
        times = int(((letter == a) & (answer == b) & seen).sum())
        print(f"    {windows.LABELS[a]} read as {windows.LABELS[b]}: {times}")
    return right[still].mean(), right.mean(), seen.mean()


def spelled(clip, signpost, folder):
    """Signs read in order, and signs shown, by the program with this bundle."""
    out = subprocess.run(
        [signpost, "read", str(clip), "--model", str(folder)], capture_output=True, text=True, check=True
    )
    got = out.stdout.strip()
    text = json.loads(clip.with_suffix(".json").read_text())["text"].upper()
    print(f"    {text!r} read as {got!r}")
    shown, read = text.replace(" ", ""), got.replace(" ", "")
    same = difflib.SequenceMatcher(None, shown, read, autojunk=False).get_matching_blocks()
    return sum(block.size for block in same), len(shown)


def main():
    args = train.arguments(__doc__)
    train.prepare(args.photos, args.work, args.signpost)
    pool, rows, signs = poses.pool(args.work), [], np.zeros(2, int)
    manifest = (poses.BUNDLE / "manifest.toml").read_text()
    for signer in np.unique(pool.signer):
        print(f"signer {signer} left out")
        model = learn.fit(pool.only(pool.signer != signer))
        folder = args.work / f"without-{signer}"
        bundle.save(model, folder, manifest)
        rows.append(stills(model, args.work / f"stills-hand{signer}.mp4"))
        print("    24 letters %.3f, all 26 %.3f, hands found %.3f" % rows[-1])
        for clip in sorted(args.work.glob(f"spelled-hand{signer}-*.mp4")):
            signs += spelled(clip, args.signpost, folder)
    print("mean: 24 letters %.3f, all 26 %.3f, hands found %.3f" % tuple(np.mean(rows, 0)))
    print(f"signs read in composed clips: {signs[0]} of {signs[1]}")


if __name__ == "__main__":
    main()
