"""Writes the classifier and its labels, and puts the checksum into the manifest."""

import hashlib
import re

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from windows import LABELS, T


def save(model, folder, manifest):
    """A bundle in `folder`; `manifest` is the text whose checksums are renewed."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = tf.TensorSpec((1, T, 64), tf.float32, name="window")
    forward = tf.function(lambda w: model(w, training=False)).get_concrete_function(spec)
    frozen = convert_variables_to_constants_v2(forward)
    data = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    files = {
        "fingerspelling.tflite": data,
        "labels.txt": "".join(f"{label}\n" for label in LABELS).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
        line = f'"{name}" = "{hashlib.sha256(content).hexdigest()}"'
        manifest, found = re.subn(rf'(?m)^"{re.escape(name)}" = ".*"$', line, manifest)
        assert found == 1, f"{name} has one checksum in the manifest"
    (folder / "manifest.toml").write_text(manifest)
    return len(data)
