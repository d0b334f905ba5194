"""The classifier: one pose network for every element, one small head for time."""

import keras
import numpy as np
import tensorflow as tf

from windows import D, I, J, NONE, T, Z

FROM, TO = np.triu_indices(21, 1)
TIPS = [0, 4, 8, 20]


class PoseFeatures(keras.layers.Layer):
    """[b, 21, 3] to what differs little between people.

    Coordinates about the wrist in palm lengths, distances between all
    landmarks in the picture and in space, coordinates in the palm's own frame.
    """

    def call(self, x):
        x = x - x[:, :1]
        palm = tf.norm(tf.gather(x, [5, 9, 13, 17], axis=1) + 1e-6, axis=-1)
        x = x / (tf.reduce_mean(palm, 1) + 1e-3)[:, None, None]
        d = tf.gather(x, FROM, axis=1) - tf.gather(x, TO, axis=1)
        d = d * d
        flat = tf.sqrt(d[..., 0] + d[..., 1] + 1e-4)
        deep = tf.sqrt(d[..., 0] + d[..., 1] + d[..., 2] + 1e-4)
        own = tf.matmul(x, self.frame(x))
        return tf.concat([tf.reshape(x, (-1, 63)), flat, deep, tf.reshape(own, (-1, 63))], -1)

    @staticmethod
    def frame(x):
        """Axes of the palm: wrist to middle knuckle, across, and out of it."""
        unit = lambda v: v / tf.sqrt(tf.reduce_sum(v * v, -1, keepdims=True) + 1e-6)  # noqa: E731
        up = unit(x[:, 9])
        across = x[:, 5] - x[:, 17]
        across = unit(across - up * tf.reduce_sum(up * across, -1, keepdims=True))
        a, b = [up[:, i] for i in range(3)], [across[:, i] for i in range(3)]
        out = tf.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]], -1)
        return tf.stack([up, across, out], -1)


class Motion(keras.layers.Layer):
    """[b, T, 64] to wrist and finger tips over time, their steps, and the size."""

    def call(self, w):
        here = w[..., 63:]
        x = tf.reshape(w[..., :63], (-1, T, 21, 3))
        tips = tf.reshape(tf.gather(x, TIPS, axis=2)[..., :2], (-1, T, 8))
        both = here[:, 1:] * here[:, :-1]
        steps = (tips[:, 1:] - tips[:, :-1]) * both
        palm = tf.sqrt(tf.reduce_sum((x[:, :, 9] - x[:, :, 0]) ** 2, -1) + 1e-6)
        parts = [tips * 0.5, steps, here, palm[..., None] * here]
        return tf.concat([tf.reshape(p, (-1, p.shape[1] * p.shape[2])) for p in parts], -1)


def dense(x, width, drop):
    x = keras.layers.Dense(width)(x)
    x = keras.layers.BatchNormalization(momentum=0.97)(x)
    x = keras.layers.Activation("relu")(x)
    return keras.layers.Dropout(drop)(x)


def pose_net(width=100, drop=0.3, voices=3):
    """[b, 21, 3] to the letter scores of several small networks, [b, voices, 26]."""
    pose = keras.Input((21, 3))
    x = PoseFeatures()(pose)
    x = keras.layers.BatchNormalization(momentum=0.97)(x)
    out = []
    for _ in range(voices):
        v = keras.layers.Dropout(drop / 2)(x)
        v = dense(dense(v, width, drop), width // 2, drop)
        out.append(keras.layers.Dense(26)(v))
    return keras.Model(pose, Stack()(out), name="pose")


class Stack(keras.layers.Layer):
    """Several [b, n] to [b, count, n]."""

    def call(self, parts):
        return tf.stack(parts, 1)


class Agreed(keras.layers.Layer):
    """[b * T, voices, 26] scores to [b, T, 26] logarithms of the mean odds."""

    def call(self, scores):
        odds = tf.reduce_mean(tf.nn.softmax(scores), 1)
        return tf.reshape(tf.math.log(odds + 1e-4), (-1, T, 26))


class Latest(keras.layers.Layer):
    """Log odds of the elements, weighted by age, and nothing for "none"."""

    def build(self, _):
        fade = -0.5 * np.arange(T - 1, -1, -1, dtype=np.float32)
        self.age = self.add_weight(shape=(T,), initializer=keras.initializers.Constant(fade), name="age")

    def call(self, log_odds, here):
        w = tf.nn.softmax(self.age)[None] * here
        w = w / (tf.reduce_sum(w, 1, keepdims=True) + 1e-3)
        none = tf.zeros_like(log_odds[:, 0, :1])
        return tf.concat([tf.reduce_sum(log_odds * w[..., None], 1), none], -1)


class Spread(keras.layers.Layer):
    """[b, 5] to [b, 27]: what time can tell is I or J, D or Z, and no sign."""

    def call(self, change):
        place = np.zeros((5, 27), np.float32)
        place[np.arange(5), [I, J, D, Z, NONE]] = 1
        return tf.matmul(change, place)


def head_net(width=96, drop=0.2):
    """Log odds [b, T, 26] and window [b, T, 64] to 27 scores (logits)."""
    log_odds, window = keras.Input((T, 26)), keras.Input((T, 64))
    here = keras.layers.Lambda(lambda w: w[..., 63])(window)
    odds = keras.layers.Lambda(
        lambda a: tf.reshape(tf.exp(a[0]) * a[1][..., None], (-1, T * 26))
    )([log_odds, here])
    x = keras.layers.Concatenate()([odds, Motion()(window)])
    x = dense(x, width, drop)
    x = dense(x, width // 2, drop)
    change = Spread()(keras.layers.Dense(5)(x))
    out = keras.layers.Add()([change, Latest()(log_odds, here)])
    return keras.Model([log_odds, window], out, name="head")


def hands_of(window):
    """[b, T, 64] to [b * T, 21, 3]."""
    return tf.reshape(window[..., :63], (-1, 21, 3))


def window_net(pose, head):
    """[b, T, 64] to 27 probabilities: the time dimension folded into the batch."""
    window = keras.Input((T, 64))
    log_odds = Agreed()(pose(keras.layers.Lambda(hands_of)(window), training=False))
    out = keras.layers.Softmax(name="scores")(head([log_odds, window], training=False))
    return keras.Model(window, out, name="window")
