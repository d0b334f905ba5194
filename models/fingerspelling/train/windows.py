"""Windows of landmarks made by moving poses, and the tensor made from them.

A pose sequence is a short run of one photograph's landmarks under a little
motion, so that it carries the cascade's own noise. A window is 10 elements at
15 Hz out of a made-up timeline: a sign is held, the hand changes to the next
one, leaves the picture, slides aside, or draws a J or a Z.
"""

from dataclasses import dataclass

import numpy as np

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LABELS = [*LETTERS, "none"]
NONE = 26
T = 10
PARENT = np.array([0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19])
FINGER = np.array([0] + [f for f in range(5) for _ in range(4)])
KNUCKLES = [5, 9, 13, 17]
I, J, D, Z = (LETTERS.index(c) for c in "IJDZ")
# Half of what a moving I or D hand means is a J or Z; held ones must keep up.
OFTEN = np.where(np.isin(np.arange(26), [I, D]), 3.0, 1.0)
OFTEN /= OFTEN.sum()


def tensor(points, present, left=None):
    """Rows as src/recognition/normalise.rs makes them.

    points [n, T, 21, 3] in one unit on all axes, present [n, T] 0 or 1, left
    [n, T] the certainty of a left (above 0) or right (below 0) hand; without it
    all hands are right ones.
    """
    n = len(points)
    if left is not None:
        mirror = np.where((left * present).sum(1) > 0, -1, 1)[:, None, None]
        points = np.stack([points[..., 0] * mirror, points[..., 1], points[..., 2]], -1)
    newest = T - 1 - np.argmax(present[:, ::-1] > 0, axis=1)
    ref = points[np.arange(n), newest]
    palm = np.linalg.norm(ref[:, KNUCKLES] - ref[:, :1], axis=-1).mean(1)
    origin = ref[:, 0] * np.array([1, 1, 0], np.float32)
    rows = (points - origin[:, None, None]) / np.maximum(palm, 1e-3)[:, None, None, None]
    rows = np.clip(rows, -8, 8).reshape(n, T, 63) * present[..., None]
    return np.concatenate([rows, present[..., None]], -1).astype(np.float32)


@dataclass
class Pool:
    """Pose sequences: points [N, F, 21, 3], wrist at 0, palm length 1."""

    points: np.ndarray
    letter: np.ndarray
    signer: np.ndarray

    @classmethod
    def of(cls, points, found, letter, signer):
        """Frames without a hand repeat a neighbour; sequences need two hands."""
        keep = found.sum(1) >= 1
        points, found = points[keep].astype(np.float32), found[keep]
        for s, f in zip(points, found):
            have = np.flatnonzero(f)
            s[:] = s[have[np.abs(np.arange(len(s))[:, None] - have).argmin(1)]]
        points = points - points[:, :, :1]
        palm = np.linalg.norm(points[:, :, KNUCKLES], axis=-1).mean(2)
        points = points / np.median(palm, 1)[:, None, None, None]
        return cls(points.astype(np.float32), letter[keep], signer[keep])

    def only(self, keep):
        return Pool(self.points[keep], self.letter[keep], self.signer[keep])

    def joined(self, other):
        frames = min(self.points.shape[1], other.points.shape[1])
        return Pool(
            np.concatenate([self.points[:, :frames], other.points[:, :frames]]),
            np.concatenate([self.letter, other.letter]),
            np.concatenate([self.signer, other.signer]),
        )

    def index(self):
        """For each letter the sequences of each signer."""
        self.by = [
            [np.flatnonzero((self.letter == c) & (self.signer == s)) for s in np.unique(self.signer)]
            for c in range(26)
        ]
        self.by = [[g for g in groups if len(g)] for groups in self.by]
        return self

    def pick(self, letters, rng):
        """One sequence for each letter, signers equally often."""
        u, v = rng.random(len(letters)), rng.random(len(letters))
        out = np.empty(len(letters), int)
        for i, c in enumerate(letters):
            groups = self.by[c]
            g = groups[int(u[i] * len(groups))]
            out[i] = g[int(v[i] * len(g))]
        return out


@dataclass
class Person:
    """How much one hand may differ from another; fixed on training signers."""

    finger: float = 0.05
    bone: float = 0.03
    depth: float = 0.15
    tilt: float = 0.20
    roll: float = 0.12
    shear: float = 0.05
    noise: float = 0.015
    wrong_side: float = 0.03


def turn(angle, i, j):
    """Rotations [..., 3, 3] in the plane of axes i and j."""
    m = np.zeros((*angle.shape, 3, 3), np.float32)
    m[..., [0, 1, 2], [0, 1, 2]] = 1
    c, s = np.cos(angle), np.sin(angle)
    m[..., i, i], m[..., j, j], m[..., i, j], m[..., j, i] = c, c, -s, s
    return m


def turned(points, m):
    """Points [n, T, 21, 3] by matrices [n, T or 1, 3, 3]; quicker than einsum."""
    x, y, z = (points[..., i, None] for i in range(3))
    m = m[:, :, None].astype(np.float32)
    return x * m[..., 0] + y * m[..., 1] + z * m[..., 2]


def another_hand(points, rng, p):
    """The same poses by a hand of other proportions, seen from elsewhere.

    points [n, T, 21, 3]; one hand and one view for each window.
    """
    n = len(points)
    bones = points - points[:, :, PARENT]
    scale = np.exp(rng.normal(0, p.finger, (n, 5)))[:, FINGER] * np.exp(rng.normal(0, p.bone, (n, 21)))
    bones *= scale[:, None, :, None].astype(np.float32)
    out = np.zeros_like(bones)
    for k in range(1, 21):
        out[:, :, k] = out[:, :, PARENT[k]] + bones[:, :, k]
    out[..., 2] *= np.exp(rng.normal(0, p.depth, (n, 1, 1))).astype(np.float32)
    view = turn(rng.normal(0, p.roll, n), 0, 1)
    view = view @ turn(rng.normal(0, p.tilt, n), 1, 2) @ turn(rng.normal(0, p.tilt, n), 0, 2)
    lens = np.tile(np.eye(3, dtype=np.float32), (n, 1, 1))
    stretch = rng.normal(0, p.shear, n)
    lens[:, 0, 0], lens[:, 1, 1], lens[:, 0, 1] = np.exp(stretch), np.exp(-stretch), rng.normal(0, p.shear, n)
    out = turned(out, (lens @ view)[:, None])
    noise = rng.standard_normal(out.shape, np.float32)
    return out + noise * np.array([1, 1, 2], np.float32) * np.float32(p.noise)


def ease(u):
    u = np.clip(u, 0, 1)
    return u * u * (3 - 2 * u)


def frames_of(pool, which, s, rng):
    """Frames of the sequences at times s (elements since the hold began)."""
    last = pool.points.shape[1] - 1
    early = np.clip(2 * np.floor(s), 0, last).astype(int)
    later = rng.integers(0, last + 1, s.shape)
    return pool.points[which[:, None], np.where(s < 3, early, later)]


def placed(points, path, roll, pitch, size):
    """Moves hands along paths: path [n, T, 2], roll and pitch [n, T], size [n, T]."""
    out = turned(points, turn(roll, 0, 1) @ turn(pitch, 0, 2))
    out *= size[..., None, None].astype(np.float32)
    out[..., :2] += path[:, :, None].astype(np.float32)
    return out


def tremor(rng, n, times):
    """Slow small motion of a held hand: path, roll, pitch, size."""
    amp = rng.uniform(0, 0.12, (n, 1))
    wave = lambda scale: scale * np.sin(  # noqa: E731
        rng.uniform(0.1, 0.7, (n, 1)) * times + rng.uniform(0, 6.28, (n, 1))
    )
    path = np.stack([wave(amp), wave(amp)], -1)
    return path, wave(0.04), wave(0.04), 1 + wave(0.02)


def signs(pool, rng, n, p, slide=False):
    """Holds, entries, changes and exits; returns points, present, targets."""
    cur, prev = rng.choice(26, n, p=OFTEN), rng.integers(0, 26, n)
    back = np.arange(T - 1, -1, -1)
    kind = rng.random(n)
    steady, enters = kind < 0.28, (kind >= 0.28) & (kind < 0.58)
    change = np.where(enters, rng.uniform(3, 12, n), rng.uniform(2, 5, n))
    newest = np.where(steady, rng.uniform(9, 14, n), rng.uniform(-change, 9))
    s = newest[:, None] - back
    lasted = rng.uniform(4, 11, n)
    a, b = pool.pick(prev, rng), pool.pick(cur, rng)
    alpha = ease((s + change[:, None]) / change[:, None])
    alpha = np.where(enters[:, None], s >= 0, alpha).astype(np.float32)[..., None, None]
    points = (1 - alpha) * frames_of(pool, a, s + change[:, None] + lasted[:, None], rng)
    points = points + alpha * frames_of(pool, b, s, rng)
    points = another_hand(points, rng, p)
    present = ~(enters[:, None] & (s < 0) & (s > -change[:, None]))
    present &= (s > -(change + lasted)[:, None]) | (rng.random(n) < 0.5)[:, None]
    path, roll, pitch, size = tremor(rng, n, s)
    shift = rng.normal(0, 0.5, (n, 1, 2)) * np.where(enters, 3, 1)[:, None, None]
    path = path + shift * (1 - alpha[..., 0])
    if slide:
        begin, long = rng.uniform(0, 9, (n, 1)), rng.uniform(2, 5, (n, 1))
        way = rng.normal(0, 0.8, (n, 1, 2)) * np.array([1, 0.3])
        path = path + way * ease((s - begin) / long)[..., None]
    points = placed(points, path, roll, pitch, size)
    arrived = np.clip((newest + 0.3) / 1.2, 0, 1)
    stays = np.where(enters, newest < -change, newest < -0.8 * change)
    y = np.zeros((n, 27), np.float32)
    y[np.arange(n), cur] = arrived
    y[np.arange(n), NONE] = 1 - arrived
    y[stays] = np.eye(27, dtype=np.float32)[prev[stays]]
    same = (cur == prev) & ~enters
    y[same] = np.eye(27, dtype=np.float32)[cur[same]]
    if slide:
        # A starter that moves is no sign until it rests: it may become J or Z.
        moves = (newest > begin[:, 0] + 0.15 * long[:, 0]) & (newest < begin[:, 0] + long[:, 0])
        moves &= np.isin(cur, [I, D]) & (np.abs(way).max((1, 2)) > 0.25)
        y[moves] = np.eye(27, dtype=np.float32)[NONE]
    drop = (rng.random((n, T)) < 0.15) & (rng.random(n) < 0.15)[:, None]
    drop[:, -1] = False
    gone = rng.random(n) < 0.04
    left = rng.integers(1, 5, n)
    away = gone[:, None] & (back[None] < left[:, None])
    present &= ~drop & ~away
    y[~present[:, -1]] = np.eye(27, dtype=np.float32)[NONE]
    return points, present, y


def stroke_j(rng, n, u):
    """The little finger's J: down, then a hook, while the forearm turns."""
    side = np.where(rng.random((n, 1)) < 0.75, 1.0, -1.0)
    deep, wide = rng.uniform(0.1, 1.1, (n, 1)), rng.uniform(0.0, 0.8, (n, 1))
    x = side * wide * (1 - np.cos(np.pi * np.clip((u - 0.4) / 0.6, 0, 1))) / 2
    y = deep * np.sin(np.pi / 2 * np.clip(u / 0.65, 0, 1)) - 0.35 * deep * ease((u - 0.65) / 0.35)
    roll = side * rng.uniform(-0.2, 1.5, (n, 1)) * ease((u - 0.25) / 0.75)
    pitch = rng.uniform(-1.2, 1.2, (n, 1)) * ease((u - 0.2) / 0.8)
    return np.stack([x, y], -1), roll, pitch


def stroke_z(rng, n, u):
    """The index finger's Z: across, slanting back down, across again."""
    side = np.where(rng.random((n, 1)) < 0.75, -1.0, 1.0)
    wide, deep = rng.uniform(0.4, 1.5, (n, 1)), rng.uniform(0.3, 1.2, (n, 1))
    c1, c2 = rng.uniform(0.25, 0.38, (n, 1)), rng.uniform(0.6, 0.72, (n, 1))
    a, b, c = ease(u / c1), ease((u - c1) / (c2 - c1)), ease((u - c2) / (1 - c2))
    x, y = side * wide * (a - b + c), deep * b
    wrist = rng.uniform(0, 0.8, (n, 1))
    roll = wrist * x / 2
    return np.stack([x, y], -1) * (1 - 0.5 * wrist[..., None]), roll, 0.3 * wrist * x


def motions(pool, rng, n, p):
    """J and Z as they are signed, and the same frames out of order ("none")."""
    is_j = rng.random(n) < 0.5
    held = np.where(is_j, I, np.where(rng.random(n) < 0.65, D, Z))
    done = np.where(is_j, J, Z)
    long, lead = rng.uniform(5, 14, n), rng.uniform(1, 8, n)
    newest = rng.uniform(-1, long + 3)
    back = np.arange(T - 1, -1, -1)
    s = newest[:, None] - back
    u = np.clip(s / long[:, None], 0, 1)
    points = another_hand(frames_of(pool, pool.pick(held, rng), s + lead[:, None], rng), rng, p)
    j, z = stroke_j(rng, n, u), stroke_z(rng, n, u)
    pick = is_j[:, None]
    path = np.where(pick[..., None], j[0], z[0])
    shake = tremor(rng, n, s)
    roll, pitch = np.where(pick, j[1], z[1]) + shake[1], np.where(pick, j[2], z[2]) + shake[2]
    # The hand comes to where the stroke begins, often from below the picture.
    way = rng.normal(0, 0.6, (n, 1, 2)) + np.array([0, 2]) * (rng.random((n, 1, 1)) < 0.3)
    move = rng.uniform(2, 6, (n, 1))
    path = path + way * (1 - ease((s + rng.uniform(0, 4, (n, 1)) + move) / move))[..., None]
    points = placed(points, path + shake[0], roll, pitch, shake[3])
    present = (s > -lead[:, None]) | (rng.random(n) < 0.5)[:, None]
    drawn = newest / long
    sure = np.clip((drawn - 0.15) / 0.2, 0, 1)
    y = np.zeros((n, 27), np.float32)
    y[np.arange(n), done] = sure
    y[np.arange(n), NONE] = 1 - sure
    start = newest < 0.05 * long
    y[start] = np.eye(27, dtype=np.float32)[held[start]]
    mixed = np.flatnonzero((drawn > 0.5) & (rng.random(n) < 0.25))
    for i in mixed:
        order = rng.permutation(T)
        points[i], present[i] = points[i, order], present[i, order]
    y[mixed] = np.eye(27, dtype=np.float32)[NONE]
    return points, present, y


def draw(pool, rng, n, p=Person()):
    """A batch: rows [n, T, 64] and targets [n, 27]."""
    m, k = int(0.12 * n), int(0.15 * n)
    parts = [signs(pool, rng, n - m - k, p), signs(pool, rng, k, p, slide=True), motions(pool, rng, m, p)]
    points, present, y = (np.concatenate(c) for c in zip(*parts))
    wrong = rng.random(n) < p.wrong_side
    points[wrong, ..., 0] *= -1
    empty = ~present.any(1)
    y[empty] = np.eye(27, dtype=np.float32)[NONE]
    return tensor(points, present.astype(np.float32)), y
