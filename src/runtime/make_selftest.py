#!/usr/bin/env python3
"""Writes selftest.tflite: y = x W^T + b with x [1,4], y [1,3], one FULLY_CONNECTED.

Small numbers with exact float32 results, so that every correct runtime gives the same
bits. Needs `flatbuffers`, `numpy` and `ai-edge-litert` (or `tensorflow-cpu`) from PyPI:

    python3 make_selftest.py selftest.tflite
"""

import sys

import flatbuffers
import numpy as np

try:
    from ai_edge_litert import schema_py_generated as schema
except ImportError:
    from tensorflow.lite.python import schema_py_generated as schema

WEIGHTS = np.array([[1, 2, 3, 4], [-1, 0.5, 0, 2], [0.25, -8, 16, 0]], np.float32)
BIAS = np.array([0.5, -1, 2], np.float32)


def tensor(name, shape, buffer):
    result = schema.TensorT()
    result.name, result.shape, result.buffer = name, shape, buffer
    result.type = schema.TensorType.FLOAT32
    return result


def buffer(array=None):
    result = schema.BufferT()
    if array is not None:
        result.data = np.frombuffer(array.tobytes(), np.uint8)
    return result


def main():
    dense = schema.OperatorT()
    dense.opcodeIndex, dense.inputs, dense.outputs = 0, [0, 1, 2], [3]
    dense.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    dense.builtinOptions = schema.FullyConnectedOptionsT()

    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("x", [1, 4], 0),
        tensor("w", [3, 4], 1),
        tensor("b", [3], 2),
        tensor("y", [1, 3], 0),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [3], [dense]

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 1

    model = schema.ModelT()
    model.version, model.description = 3, "signpost self-test"
    model.operatorCodes, model.subgraphs = [code], [graph]
    model.buffers = [buffer(), buffer(WEIGHTS), buffer(BIAS)]

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    with open(sys.argv[1], "wb") as out:
        out.write(bytes(builder.Output()))
    x = np.array([1, 2, -3, 0.5], np.float32)
    print("x", x, "y", WEIGHTS @ x + BIAS)


if __name__ == "__main__":
    main()
