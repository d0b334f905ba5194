"""The classifier: one pose network for every element, one small head for time."""

import keras
import numpy as np
import tensorflow as tf

from windows import PARENT, T

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


def pose_net(width=192, drop=0.3):
    """[b, 21, 3] to 26 letter scores."""
    pose = keras.Input((21, 3))
    x = PoseFeatures()(pose)
    x = keras.layers.BatchNormalization(momentum=0.97)(x)
    x = keras.layers.Dropout(drop / 2)(x)
    x = dense(x, width, drop)
    x = dense(x, width // 2, drop)
    return keras.Model(pose, keras.layers.Dense(26)(x), name="pose")


class Latest(keras.layers.Layer):
    """Letter scores of the elements, weighted by age; weights are learned."""

    def build(self, _):
        fade = -0.5 * np.arange(T - 1, -1, -1, dtype=np.float32)
        self.age = self.add_weight(shape=(T,), initializer=keras.initializers.Constant(fade), name="age")

    def call(self, scores, here):
        w = tf.nn.softmax(self.age)[None] * here
        w = w / (tf.reduce_sum(w, 1, keepdims=True) + 1e-3)
        none = tf.zeros_like(scores[:, 0, :1])
        return tf.concat([tf.reduce_sum(scores * w[..., None], 1), none], -1)


def head_net(width=96, drop=0.2):
    """Letter scores [b, T, 26] and window [b, T, 64] to 27 scores (logits)."""
    scores, window = keras.Input((T, 26)), keras.Input((T, 64))
    here = keras.layers.Lambda(lambda w: w[..., 63])(window)
    odds = keras.layers.Lambda(
        lambda a: tf.reshape(tf.nn.softmax(a[0]) * a[1][..., None], (-1, T * 26))
    )([scores, here])
    x = keras.layers.Concatenate()([odds, Motion()(window)])
    x = dense(x, width, drop)
    x = dense(x, width // 2, drop)
    change = keras.layers.Dense(27)(x)
    out = keras.layers.Add()([change, Latest()(scores, here)])
    return keras.Model([scores, window], out, name="head")


def hands_of(window):
    """[b, T, 64] to [b * T, 21, 3]."""
    return tf.reshape(window[..., :63], (-1, 21, 3))


def window_net(pose, head):
    """[b, T, 64] to 27 probabilities: the time dimension folded into the batch."""
    window = keras.Input((T, 64))
    hands = keras.layers.Lambda(hands_of)(window)
    scores = keras.layers.Lambda(lambda s: tf.reshape(s, (-1, T, 26)))(pose(hands, training=False))
    out = keras.layers.Softmax(name="scores")(head([scores, window], training=False))
    return keras.Model(window, out, name="window")
