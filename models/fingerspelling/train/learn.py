"""Fits the classifier to a pool of pose sequences; the same for every fold."""

import keras
import numpy as np
import tensorflow as tf

import net
import windows
from windows import Person

SMOOTHING = 0.1
POSE_STEPS, HEAD_STEPS, WINDOWS, BATCH = 2500, 2500, 40_000, 256


def smooth(y):
    return (1 - SMOOTHING) * y + SMOOTHING / y.shape[-1]


def cross_entropy(y, scores):
    y = tf.broadcast_to(y, tf.shape(scores))
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, scores))


def descend(model, steps, rate, loss_of):
    """A compiled step of AdamW with a cosine schedule."""
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-3)

    @tf.function(reduce_retracing=True)
    def step(*batch):
        with tf.GradientTape() as tape:
            loss = loss_of(*batch)
        grads = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(grads, model.trainable_variables))
        return loss

    return step


def fit_pose(pool, rng, steps, person):
    """The pose network alone, on single frames."""
    pose = net.pose_net()
    pose.build((None, 21, 3))
    step = descend(
        pose, steps, 2e-3, lambda x, y: cross_entropy(y[:, None], pose(x, training=True))
    )
    for _ in range(steps):
        letters = rng.integers(0, 26, BATCH)
        which = pool.pick(letters, rng)
        frame = rng.integers(0, pool.points.shape[1], BATCH)
        points = windows.another_hand(pool.points[which, frame][:, None], rng, person)[:, 0]
        points[rng.random(BATCH) < person.wrong_side, :, 0] *= -1
        y = smooth(np.eye(26, dtype=np.float32)[letters])
        step(tf.constant(points, tf.float32), tf.constant(y, tf.float32))
    return pose


def score(pose, x):
    """Log odds of letters [n, T, 26] for windows [n, T, 64]."""
    agreed = net.Agreed()
    forward = tf.function(lambda w: agreed(pose(net.hands_of(w), training=False)), reduce_retracing=True)
    return np.concatenate([forward(tf.constant(x[i : i + 512])).numpy() for i in range(0, len(x), 512)])


def seen_windows(pool, poses, rng, count, person):
    """Windows of each signer, seen half by the finished pose network and half
    by one that never saw this signer: what the head will meet in the field is
    a stranger's hand, about which the pose network is less sure.
    """
    out = []
    share = count // len(poses) // 2
    for signer, stranger in poses.items():
        if signer is None:
            continue
        own = pool.only(pool.signer == signer).index()
        for pose in (poses[None], stranger):
            x, y = windows.draw(own, rng, share, person)
            out.append((score(pose, x), x, y))
    return [np.concatenate(c) for c in zip(*out)]


def fit_head(seen, rng, steps):
    """The head alone; the pose networks stay as they are."""
    s, x, y = seen
    y = smooth(y).astype(np.float32)
    head = net.head_net()
    step = descend(
        head, steps, 2e-3, lambda s, w, t: cross_entropy(t, head([s, w], training=True))
    )
    for _ in range(steps):
        i = rng.integers(0, len(x), BATCH)
        step(tf.constant(s[i]), tf.constant(x[i]), tf.constant(y[i]))
    return head


def fit(pool, seed=1, pose_steps=POSE_STEPS, head_steps=HEAD_STEPS, count=WINDOWS, person=Person()):
    """The whole classifier: [b, T, 64] to 27 probabilities."""
    keras.utils.set_random_seed(seed)
    # Sums of several threads come in any order otherwise, and no two runs agree.
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(seed)
    poses = {None: fit_pose(pool.index(), rng, pose_steps, person)}
    for signer in np.unique(pool.signer):
        others = pool.only(pool.signer != signer).index()
        poses[signer] = fit_pose(others, rng, pose_steps // 2, person)
    seen = seen_windows(pool, poses, rng, count, person)
    return net.window_net(poses[None], fit_head(seen, rng, head_steps))
