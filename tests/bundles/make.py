"""Makes a small bundle of each kind: trained on made-up moving shapes, with a golden clip of
such shapes, and with what is to be read in it known before there is a model.

    python make.py OUT [NAME ..]

Needs what models/fingerspelling/train/requirements.txt lists, and gst-launch-1.0 with x264enc.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

CLIP = (160, 120)
FPS = 30
HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parents[1] / "models/fingerspelling/golden.mp4"


# Pictures: all sizes in fractions of the picture's height.


def noise(rng, size, low=20, high=70):
    """A dim background without colour."""
    width, height = size
    blotches = Image.fromarray(rng.integers(low, high, (4, 5), dtype=np.uint8))
    grey = np.asarray(blotches.resize(size, Image.BICUBIC), np.float32)
    grey = grey + rng.normal(0, 4, (height, width))
    return np.repeat(np.clip(grey, 0, 255)[..., None], 3, 2)


def put(picture, kind, x, y, side, colour):
    """A disc or a square with its middle at x, y and sides of `side`; x in heights, too."""
    height, width, _ = picture.shape
    rows, columns = np.mgrid[0:height, 0:width]
    dx, dy = (columns + 0.5) / height - x, (rows + 0.5) / height - y
    if kind == "disc":
        inside = np.hypot(dx, dy) < side / 2
    else:
        inside = (abs(dx) < side / 2) & (abs(dy) < side / 2)
    picture[inside] = np.asarray(colour, np.float32)


def small(picture, size):
    """As the program makes it small (`stretch`)."""
    image = Image.fromarray(picture.astype(np.uint8))
    return np.asarray(image.resize(size, Image.BILINEAR), np.float32)


# Files.


def write_clip(path, frames):
    width, height = CLIP
    line = (
        f"fdsrc ! rawvideoparse format=rgb width={width} height={height} framerate={FPS}/1 "
        "! videoconvert ! video/x-raw,format=I420 ! x264enc pass=quant quantizer=24 bframes=0 "
        f"threads=1 key-int-max=30 ! video/x-h264,profile=main ! mp4mux ! filesink location={path}"
    )
    data = b"".join(frame.astype(np.uint8).tobytes() for frame in frames)
    subprocess.run(["gst-launch-1.0", "-q", *line.split()], input=data, check=True)


def write_bundle(folder, manifest, files, expected):
    """`files`: contents by name, the clip's frames among them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            write_clip(folder / name, content)
    text = json.dumps(expected, indent=2) + "\n"
    (folder / "expected.json").write_text(text)
    lines = ["[files]"]
    for file in sorted(p.name for p in folder.iterdir() if p.name != "manifest.toml"):
        lines.append(f'"{file}" = "{hashlib.sha256((folder / file).read_bytes()).hexdigest()}"')
    note = "# Made by tests/bundles/make.py.\nformat = 1\n"
    end = '[golden]\nclip = "golden.mp4"\nexpected = "expected.json"\n\n'
    (folder / "manifest.toml").write_text(note + manifest.strip() + "\n\n" + end + "\n".join(lines) + "\n")
    print(folder.name, {p.name: p.stat().st_size for p in folder.iterdir()})


def head(name, task, version="1"):
    return f'name = "{name}"\nversion = "{version}"\nlicence = "Apache-2.0"\ntask = "{task}"\n'


def tflite(function, shape, name="picture", dtype=tf.float32, tune=lambda converter: None):
    spec = tf.TensorSpec(shape, dtype, name=name)
    concrete = tf.function(function).get_concrete_function(spec)
    frozen = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    tune(frozen)
    return frozen.convert()


def words(labels):
    return "".join(f"{label}\n" for label in labels).encode()


# classify: the colour of a disc.

COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 60, 220)}
COLOUR_LABELS = [*COLOURS, "none"]


def colour_picture(rng, label, size, place=None, behind=None):
    picture = noise(rng, size) if behind is None else behind.copy()
    x, y = place or (rng.uniform(0.2, 1.1), rng.uniform(0.2, 0.8))
    if label != "none":
        lit = (rng.uniform(0.8, 1.1), rng.normal(0, 10, 3)) if place is None else (1, 0)
        colour = np.asarray(COLOURS[label]) * lit[0] + lit[1]
        side = rng.uniform(0.3, 0.5) if place is None else 0.4
        put(picture, "disc", x, y, side, np.clip(colour, 0, 255))
    elif place is None and rng.random() < 0.5:
        put(picture, "disc", x, y, rng.uniform(0.3, 0.5), [rng.uniform(60, 230)] * 3)
    return picture


def colours(out):
    rng, size = np.random.default_rng(1), (32, 32)
    labels = rng.integers(0, 4, 3000)
    pictures = [colour_picture(rng, COLOUR_LABELS[label], (80, 60)) for label in labels]
    x = np.stack([small(picture, size) for picture in pictures]) / 255
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential([
        tf.keras.Input((32, 32, 3)),
        tf.keras.layers.Conv2D(8, 3, 2, activation="relu"),
        tf.keras.layers.Conv2D(12, 3, 2, activation="relu"),
        tf.keras.layers.GlobalMaxPooling2D(),
        tf.keras.layers.Dense(4, activation="softmax"),
    ])
    model.compile(tf.keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, labels, 32, 25, verbose=0, validation_split=0.1)
    print("colours:", model.evaluate(x[2700:], labels[2700:], verbose=0))

    def quantised(kind):
        def tune(converter):
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([p[None]] for p in x[:300].astype(np.float32))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = kind
        return tune

    def half(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    forward = lambda p: model(p, training=False)
    shape = (1, 32, 32, 3)
    forms = {
        "float32": tflite(forward, shape),
        "float16": tflite(lambda p: tf.cast(forward(tf.cast(p, tf.float32)), tf.float16), shape, dtype=tf.float16, tune=half),
        "uint8": tflite(forward, shape, tune=quantised(tf.uint8)),
        "int8": tflite(forward, shape, tune=quantised(tf.int8)),
    }
    rng = np.random.default_rng(2)
    frames, moments, behind = [], [], noise(rng, CLIP)
    for label in ["none", "red", "none", "green", "none", "blue", "none"]:
        begin = len(frames)
        path = rng.uniform(0.3, 0.9, 2)
        for n in range(20 if label == "none" else 30):
            place = (path[0] + n / 150, path[1] * 0.7)
            frames.append(colour_picture(rng, label, CLIP, place, behind))
        shown = [] if label == "none" else [label.upper()]
        moments.append({"t": round((begin + len(frames)) / 2 / FPS, 3), "labels": shown})
    for kind, data in forms.items():
        manifest = head(f"colour-{kind}", "classify") + f"""
[model]
file = "colour.tflite"

[input]
shape = [1, 32, 32, 3]
type = "{kind}"
colour = "rgb"
mean = 0
std = 255
resize = "stretch"

[output]
labels = "labels.txt"
threshold = 0.6

[output.scores]
shape = [1, 4]
type = "{kind}"
"""
        files = {"colour.tflite": data, "labels.txt": words(COLOUR_LABELS), "golden.mp4": frames}
        write_bundle(out / f"colour-{kind}", manifest, files, {"transcript": "RED GREEN BLUE", "frames": moments})


# classify-window: which way a bar moves.

MOTIONS = {"right": 1, "left": -1, "none": 0}
T, RATE, SIDE = 8, 15, 24


def bar(rng, x, size, behind=None):
    """Bright, over the whole height, with its middle at x of the picture's width."""
    picture = noise(rng, size) if behind is None else behind.copy()
    width = size[0]
    columns = (np.arange(width) + 0.5) / width
    picture[:, abs(columns - x) < 0.08] = 210
    return picture


def motions(out):
    rng = np.random.default_rng(3)
    windows, targets = [], []
    for n in range(1800):
        target = n % 3
        speed = list(MOTIONS.values())[target] * rng.uniform(0.5, 1.1)
        reach = speed * (T - 1) / RATE
        start = rng.uniform(max(0.0, -reach), min(1.0, 1 - reach))
        behind = noise(rng, (80, 60))
        pictures = [bar(rng, start + speed * t / RATE, (80, 60), behind) for t in range(T)]
        windows.append(np.stack([small(p, (SIDE, SIDE))[..., :1] for p in pictures]))
        targets.append(target)
    x, y = np.stack(windows) / 127.5 - 1, np.asarray(targets)
    tf.keras.utils.set_random_seed(2)
    model = tf.keras.Sequential([
        tf.keras.Input((SIDE, SIDE, T)),
        tf.keras.layers.Conv2D(12, 5, 2, activation="relu"),
        tf.keras.layers.Conv2D(16, 3, 2, activation="relu"),
        tf.keras.layers.GlobalAveragePooling2D(),
        tf.keras.layers.Dense(3),
    ])
    stacked = np.transpose(x[..., 0], (0, 2, 3, 1))
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(stacked, y, 32, 30, verbose=0)
    print("motions:", model.evaluate(stacked, y, verbose=0))
    forward = lambda p: model(p, training=False)
    over_time = lambda p: forward(tf.transpose(tf.reshape(p, (1, T, SIDE, SIDE)), (0, 2, 3, 1)))
    forms = {
        "time": ((1, T, SIDE, SIDE, 1), over_time, "hop = 2\n"),
        "channels": ((1, SIDE, SIDE, T), forward, ""),
    }
    rng = np.random.default_rng(4)
    frames, moments, x, behind = [], [], 0.15, noise(rng, CLIP)
    for label, count in [("none", 30), ("right", 30), ("none", 30), ("left", 30), ("none", 24)]:
        begin = len(frames)
        for _ in range(count):
            x += MOTIONS[label] * 0.7 / FPS
            frames.append(bar(rng, x, CLIP, behind))
        shown = [] if label == "none" else [label.upper()]
        # A window looks back for half a second.
        moments.append({"t": round((begin + count - 4) / FPS, 3), "labels": shown})
    for kind, (shape, function, hop) in forms.items():
        manifest = head(f"motion-{kind}", "classify-window") + f"""
[model]
file = "motion.tflite"

[input]
shape = {list(shape)}
type = "float32"
colour = "grey"
mean = 127.5
std = 127.5
resize = "stretch"
frames = "{kind}"

[window]
frames = {T}
rate_hz = {RATE}
{hop}
[output]
labels = "labels.txt"
activation = "softmax"
threshold = 0.6

[output.scores]
shape = [1, 3]
type = "float32"
"""
        files = {"motion.tflite": tflite(function, shape), "labels.txt": words(MOTIONS), "golden.mp4": frames}
        write_bundle(out / f"motion-{kind}", manifest, files, {"transcript": "RIGHT LEFT", "frames": moments})


# detect: discs and squares.

THINGS = ["disc", "square"]
INPUT, GRID, ANCHOR = 64, 8, 0.3
SCALE = (10.0, 10.0, 5.0, 5.0)


def things(rng, size, found, behind=None):
    """`found`: kind, middle and side in fractions of the width and the height."""
    picture = noise(rng, size) if behind is None else behind.copy()
    width, height = size
    for kind, x, y, side in found:
        shade = rng.uniform(150, 250) if behind is None else 220
        tint = np.clip(shade + rng.normal(0, 25 if behind is None else 0, 3), 90, 255)
        put(picture, kind, x * width / height, y, side, tint)
    return picture


def encoded(found, size):
    """Targets of every anchor: offsets (y, x, h, w; SSD, Liu et al. 2016) and the class."""
    boxes, classes = np.zeros((GRID, GRID, 4), np.float32), np.zeros((GRID, GRID), np.int32)
    aspect = size[0] / size[1]
    for kind, x, y, side in found:
        wide, high = side / aspect, side
        for row in range(GRID):
            for column in range(GRID):
                ax, ay = (column + 0.5) / GRID, (row + 0.5) / GRID
                if abs(ax - x) < 0.09 and abs(ay - y) < 0.09:
                    offsets = [
                        (y - ay) / ANCHOR * SCALE[1], (x - ax) / ANCHOR * SCALE[0],
                        np.log(high / ANCHOR) * SCALE[3], np.log(wide / ANCHOR) * SCALE[2],
                    ]
                    boxes[row, column], classes[row, column] = offsets, 1 + THINGS.index(kind)
    return boxes.reshape(-1, 4), classes.reshape(-1)


def scattered(rng):
    found = []
    for _ in range(rng.integers(0, 3)):
        kind, x, y = THINGS[rng.integers(2)], rng.uniform(0.15, 0.85), rng.uniform(0.2, 0.8)
        if all(abs(x - other[1]) > 0.35 for other in found):
            found.append((kind, x, y, rng.uniform(0.25, 0.45)))
    return found


def detectors(out):
    rng, size = np.random.default_rng(5), (80, 60)
    pictures, boxes, classes = [], [], []
    for _ in range(2500):
        found = scattered(rng)
        pictures.append(small(things(rng, size, found), (INPUT, INPUT)))
        offsets, kinds = encoded(found, size)
        boxes.append(offsets)
        classes.append(kinds)
    x, boxes, classes = np.stack(pictures) / 127.5 - 1, np.stack(boxes), np.stack(classes)
    tf.keras.utils.set_random_seed(3)
    inputs = tf.keras.Input((INPUT, INPUT, 3))
    y = inputs
    for filters, stride in [(12, 2), (16, 2), (24, 2), (24, 1)]:
        y = tf.keras.layers.Conv2D(filters, 3, stride, "same", activation="relu")(y)
    where = tf.keras.layers.Reshape((GRID * GRID, 4))(tf.keras.layers.Conv2D(4, 3, padding="same")(y))
    what = tf.keras.layers.Reshape((GRID * GRID, 3))(tf.keras.layers.Conv2D(3, 3, padding="same")(y))
    model = tf.keras.Model(inputs, [where, what])

    def where_loss(truth, guess):
        mask = tf.cast(tf.reduce_any(truth != 0, -1), tf.float32)
        return tf.reduce_sum(tf.reduce_mean(abs(truth - guess), -1) * mask) / (tf.reduce_sum(mask) + 1)

    def what_loss(truth, guess):
        each = tf.keras.losses.sparse_categorical_crossentropy(truth, guess, from_logits=True)
        weight = tf.where(tf.reshape(truth, tf.shape(each)) > 0, 5.0, 1.0)
        return tf.reduce_mean(each * weight)

    model.compile(tf.keras.optimizers.Adam(2e-3), [where_loss, what_loss])
    model.fit(x, [boxes, classes], 32, 30, verbose=0)
    print("detectors:", model.evaluate(x, [boxes, classes], verbose=0))

    def raw(picture):
        where, what = model(picture, training=False)
        return {"a_boxes": where, "b_scores": what}

    centres = (np.arange(GRID) + 0.5) / GRID
    ys, xs = np.meshgrid(centres, centres, indexing="ij")
    anchors = np.stack([ys, xs, np.full_like(ys, ANCHOR), np.full_like(ys, ANCHOR)], -1).reshape(-1, 4)
    most = 10
    options = " ".join([
        'name: "TFLite_Detection_PostProcess"',
        f'attr {{ key: "max_detections" value {{ i: {most} }} }}',
        'attr { key: "max_classes_per_detection" value { i: 1 } }',
        'attr { key: "use_regular_nms" value { b: false } }',
        'attr { key: "nms_score_threshold" value { f: 0.3 } }',
        'attr { key: "nms_iou_threshold" value { f: 0.4 } }',
        f'attr {{ key: "y_scale" value {{ f: {SCALE[1]} }} }}',
        f'attr {{ key: "x_scale" value {{ f: {SCALE[0]} }} }}',
        f'attr {{ key: "h_scale" value {{ f: {SCALE[3]} }} }}',
        f'attr {{ key: "w_scale" value {{ f: {SCALE[2]} }} }}',
        f'attr {{ key: "num_classes" value {{ i: {len(THINGS)} }} }}',
    ])

    # The converter puts the runtime's own operator in this function's place.
    @tf.function(experimental_implements=options)
    def process(boxes, scores, anchors):
        del boxes, scores, anchors
        return (
            tf.constant(0.0, shape=(1, most, 4)), tf.constant(0.0, shape=(1, most)),
            tf.constant(0.0, shape=(1, most)), tf.constant(0.0, shape=(1,)),
        )

    picture = tf.TensorSpec((1, INPUT, INPUT, 3), name="picture")
    network = tf.function(lambda p: tuple(model(p, training=False))).get_concrete_function(picture)
    network = convert_variables_to_constants_v2(network)

    def processed(picture):
        where, what = network(picture)
        boxes, classes, scores, count = process(where, tf.nn.softmax(what), tf.constant(anchors, tf.float32))
        return {"a_boxes": boxes, "b_classes": classes, "c_scores": scores, "d_count": count}

    def with_processing():
        # From a saved model: only so does the converter see the function that it replaces.
        module = tf.Module()
        module.serve = tf.function(processed, input_signature=[picture])
        with tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(module, folder, signatures=module.serve)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            converter.allow_custom_ops = True
            return converter.convert()

    shape = (1, INPUT, INPUT, 3)
    rng = np.random.default_rng(6)
    frames, moments, behind = [], [], noise(rng, CLIP)
    for kinds, count in [([], 20), (["disc"], 30), (["disc", "square"], 30), (["square"], 30), ([], 20)]:
        begin = len(frames)
        for n in range(count):
            places = {"disc": (0.25 + n / 400, 0.4), "square": (0.72, 0.6 - n / 300)}
            frames.append(things(rng, CLIP, [(kind, *places[kind], 0.35) for kind in kinds], behind))
        moments.append({"t": round((begin + count / 2) / FPS, 3), "labels": [kind.upper() for kind in kinds]})
    common = f"""
[model]
file = "shapes.tflite"

[input]
shape = {list(shape)}
type = "float32"
colour = "rgb"
mean = 127.5
std = [127.5, 127.5, 127.5]
resize = "stretch"

[output]
labels = "labels.txt"
"""
    ssd = head("shapes-ssd", "detect") + common + f"""threshold = 0.5

[output.boxes]
name = "PartitionedCall:0"
shape = [1, {most}, 4]
type = "float32"

[output.classes]
name = "PartitionedCall:1"
shape = [1, {most}]
type = "float32"

[output.scores]
name = "PartitionedCall:2"
shape = [1, {most}]
type = "float32"

[output.count]
name = "PartitionedCall:3"
shape = [1]
type = "float32"
"""
    anchored = head("shapes-anchors", "detect") + common + f"""activation = "softmax"
threshold = 0.5

[output.boxes]
shape = [1, {GRID * GRID}, 4]
type = "float32"

[output.scores]
shape = [1, {GRID * GRID}, 3]
type = "float32"

[anchors]
layers = [{{ grid = [{GRID}, {GRID}], boxes = [[{ANCHOR}, {ANCHOR}]] }}]
order = "yxhw"
size = "exponential"
scale = {list(SCALE)}
background = true
overlap = 0.4
"""
    files = {"labels.txt": words(THINGS), "golden.mp4": frames}
    expected = {"frames": moments}
    write_bundle(out / "shapes-ssd", ssd, {"shapes.tflite": with_processing(), **files}, expected)
    write_bundle(out / "shapes-anchors", anchored, {"shapes.tflite": tflite(raw, shape), **files}, expected)


# hand-landmarks: the cascade alone, on the begin of the shipped clip.


def hands(out):
    folder = out / "hands"
    folder.mkdir(parents=True, exist_ok=True)
    line = (
        f"filesrc location={GOLDEN} ! decodebin ! identity eos-after=75 ! videoconvert "
        "! x264enc pass=quant quantizer=26 bframes=0 threads=1 ! video/x-h264,profile=main "
        f"! mp4mux ! filesink location={folder / 'golden.mp4'}"
    )
    subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True)
    write_bundle(folder, head("hands", "hand-landmarks"), {}, {"frames": [{"t": 1.5, "hands": 1}]})


PLAIN = """
[model]
file = "plain.tflite"

[input]
shape = [1, 16, 16, 1]
type = "float32"
colour = "grey"
mean = 0
std = 255
resize = "crop"

[output]
labels = "labels.txt"

[output.scores]
shape = [1, 2]
type = "float32"
"""


def plain(out, name, function):
    """A model of the lightness alone."""
    frames = [noise(np.random.default_rng(8), CLIP)] * 2
    data = tflite(function, (1, 16, 16, 1))
    files = {"plain.tflite": data, "labels.txt": words(["yes", "no"]), "golden.mp4": frames}
    expected = {"frames": [{"t": 0, "labels": ["YES"]}]}
    write_bundle(out / name, head(name, "classify") + PLAIN, files, expected)


def not_a_number(out):
    def function(picture):
        zero = tf.reduce_mean(picture, (1, 2)) * 0
        return tf.concat([zero / zero, zero], 1)

    plain(out, "not-a-number", function)


def dark_only(out):
    """Good in the dark of its golden clip, and no number in the light."""

    def function(picture):
        light = tf.reduce_mean(picture, (1, 2))
        return tf.concat([0.9 + 0 * tf.sqrt(0.25 - light), 0.1 + 0 * light], 1)

    plain(out, "dark-only", function)


# classify, and slow: what a device that is too weak, or a model that hangs, looks like.


def slow(out):
    rng = np.random.default_rng(7)
    kernel = (rng.normal(0, 1, (3, 3, 16, 16)) / 12).astype(np.float32)
    for name, turns in [("slow", 30), ("blocked", 1300)]:

        def function(picture, turns=turns):
            y = tf.image.resize(tf.tile(picture, (1, 1, 1, 16)), (256, 256), "nearest")
            step = lambda n, y: (n + 1, tf.nn.relu6(tf.nn.conv2d(y, kernel, 1, "SAME")))
            _, y = tf.while_loop(lambda n, y: n < turns, step, (0, y))
            still = tf.reduce_mean(y, (1, 2))[:, :2] * 0
            return still + tf.constant([[0.9, 0.1]])

        plain(out, name, function)


def main():
    out, names = Path(sys.argv[1]), sys.argv[2:]
    for make in [colours, motions, detectors, hands, not_a_number, dark_only, slow]:
        if not names or make.__name__ in names:
            make(out)


main()
