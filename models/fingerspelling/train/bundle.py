"""Writes the classifier and its labels, and puts the checksum into the manifest."""

import hashlib
import re

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from windows import LABELS, T


def save(model, folder, manifest):
    """A bundle in `folder`; `manifest` is the text whose checksum is renewed."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = tf.TensorSpec((1, T, 64), tf.float32, name="window")
    forward = tf.function(lambda w: model(w, training=False)).get_concrete_function(spec)
    frozen = convert_variables_to_constants_v2(forward)
    data = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    (folder / "fingerspelling.tflite").write_bytes(data)
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    sha256 = hashlib.sha256(data).hexdigest()
    text = re.sub(r'(?m)^sha256 = ".*"$', f'sha256 = "{sha256}"', manifest, count=1)
    (folder / "manifest.toml").write_text(text)
    return len(data)
