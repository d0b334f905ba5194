"""Fits the classifier to a pool of pose sequences; the same for every fold."""

import keras
import numpy as np
import tensorflow as tf

import net
import windows
from windows import Person

SMOOTHING = 0.1
POSE_STEPS, HEAD_STEPS, WINDOWS, BATCH = 3000, 3000, 60 * 1024, 256


def smooth(y):
    return (1 - SMOOTHING) * y + SMOOTHING / y.shape[-1]


def cross_entropy(y, scores):
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
        pose, steps, 2e-3, lambda x, y: cross_entropy(y, pose(x, training=True))
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


def fit_head(pool, pose, rng, count, steps, person):
    """The head, on windows seen through the finished pose network.

    The pose network stays as it is: the head must not bend it to the windows,
    and its scores need to be computed only once.
    """
    x, y = (np.concatenate(c) for c in zip(*(windows.draw(pool, rng, 512, person) for _ in range(count // 512))))
    forward = tf.function(lambda w: pose(net.hands_of(w), training=False), reduce_retracing=True)
    scores = np.concatenate([forward(tf.constant(b)).numpy() for b in np.split(x, len(x) // 512)])
    scores = scores.reshape(len(x), windows.T, 26)
    head = net.head_net()
    step = descend(
        head, steps, 2e-3, lambda s, w, t: cross_entropy(t, head([s, w], training=True))
    )
    y = smooth(y).astype(np.float32)
    for _ in range(steps):
        i = rng.integers(0, len(x), BATCH)
        step(tf.constant(scores[i]), tf.constant(x[i]), tf.constant(y[i]))
    return head


def fit(pool, seed=1, pose_steps=POSE_STEPS, head_steps=HEAD_STEPS, count=WINDOWS, person=Person()):
    """The whole classifier: [b, T, 64] to 27 probabilities."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    pool.index()
    pose = fit_pose(pool, rng, pose_steps, person)
    return net.window_net(pose, fit_head(pool, pose, rng, count, head_steps, person))
