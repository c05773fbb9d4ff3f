"""How many weights of an ONNX graph are zero."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from sparsescope.mask import LayerSparsity, Sparsity

__all__ = ["sparsity_of"]

_WEIGHTED = ("Conv", "ConvInteger", "QLinearConv", "Gemm", "QGemm", "MatMul", "MatMulInteger", "QLinearMatMul")
_PASSED = ("DequantizeLinear", "QuantizeLinear", "Transpose", "Cast", "Identity", "Reshape")
_DEEPEST = 8


def sparsity_of(path: Path) -> Sparsity:
    """Count the zeros of the constants that convolutions and matrix products multiply with; of integers zero points."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    layers, seen = [], set()
    for node in graph.node:
        for place, name in enumerate(node.input) if node.op_type in _WEIGHTED else ():
            found = _constant(name, constants, makers)
            weight = None if found is None else constants[found]
            if found is None or weight is None or weight.ndim < 2 or found in seen:
                continue
            seen.add(found)
            zero = _zero_point(node, place, name, constants, makers)
            zeros = int((weight == zero.reshape((-1, *[1] * (weight.ndim - 1)))).sum())
            layers.append((LayerSparsity(found, tuple(weight.shape), zeros / weight.size), zeros))
    uses = Counter(name for node in graph.node for name in node.input)
    parameters = sum(array.size for name, array in constants.items() if array.ndim and uses[name])
    removed = sum(zeros for _, zeros in layers)
    pruned = layers[:-1] if len(layers) > 1 and not layers[-1][1] else layers  # a head that keeps all is left out
    size = sum(int(np.prod(layer.shape)) for layer, _ in pruned)
    return Sparsity(
        parameters,
        parameters - removed,
        sum(zeros for _, zeros in pruned) / size if size else 0.0,
        removed / parameters if parameters else 0.0,
        tuple(layer for layer, _ in pruned),
    )


def _constant(name: str, constants: dict[str, Any], makers: dict[str, Any]) -> str | None:
    """Return the constant that a value is made from by steps that change no zeros; None where it is computed."""
    for _ in range(_DEEPEST):
        if name in constants:
            return name
        maker = makers.get(name)
        if maker is None or maker.op_type not in _PASSED:
            return None
        name = maker.input[0]
    return None


def _zero_point(node: Any, place: int, name: str, constants: dict[str, Any], makers: dict[str, Any]) -> Any:
    """Return the integers (1,) or (channels,) that stand for zero; 0 in floating point."""
    operators = {"ConvInteger": {1: 3}, "MatMulInteger": {1: 3}, "QLinearConv": {3: 5}, "QLinearMatMul": {3: 5}}
    at = operators.get(node.op_type, {}).get(place)
    if at is not None and len(node.input) > at:
        return np.atleast_1d(constants.get(node.input[at], np.zeros(1)))
    for _ in range(_DEEPEST):
        maker = makers.get(name)
        if maker is None:
            break
        if maker.op_type == "DequantizeLinear" and len(maker.input) > 2:
            return np.atleast_1d(constants.get(maker.input[2], np.zeros(1)))
        name = maker.input[0]
    return np.zeros(1)
