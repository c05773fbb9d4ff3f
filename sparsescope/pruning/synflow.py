"""SynFlow: keep the connections through which most synaptic flow passes; looks at no data and collapses no layer."""

import copy
from collections.abc import Sequence

import torch

from sparsescope.errors import InputError, OptionError
from sparsescope.pruning.subject import Scores, Subject

__all__ = ["synflow"]


def synflow(subject: Subject, *, input_shape: Sequence[int] | None = None) -> Scores:
    """Score |dR/dw * w| with R the sum of the outputs for an image of ones, all parameters replaced by their size.

    Everything in the state dictionary is replaced by its absolute value, biases and running statistics too, and
    normalisation uses its running statistics, as in the authors' code. Computed in float64: in float32 R of a deep
    network overflows. `prune` asks for the scores 100 times, as sparsity rises along 1 - (1 - s)^(k/100), each time
    with the weights removed so far at zero; scored once, SynFlow is another method. Source: Tanaka et al. 2020,
    equation 3 and algorithm 1.

    Args:
        subject: the network.
        input_shape: (C, H, W) of an image; by default that of the first image of `batches`.

    Raises:
        InputError: neither `input_shape` nor batches are given, or R overflows float64.
        OptionError: `input_shape` is no shape.
    """
    if input_shape is None and subject.data is None:
        raise InputError("SynFlow takes the shape of an image: give batches, or input_shape=(channels, height, width).")
    shape = _checked(input_shape) if input_shape is not None else subject.image_shape
    working = copy.deepcopy(subject.module).eval()
    device = subject.device if subject.device.type != "mps" else torch.device("cpu")  # mps has no float64
    working = working.to(device, torch.float64)
    with torch.no_grad():
        for tensor in [*working.parameters(), *working.buffers()]:
            if tensor.is_floating_point():
                tensor.abs_()
    known = dict(working.named_parameters())
    weights = {name: known[name] for name in subject.weights}
    total = subject.outputs(torch.ones(1, *shape, dtype=torch.float64, device=device), working).sum()
    if not bool(torch.isfinite(total)):
        raise InputError(f"SynFlow's sum of outputs is {float(total):g} in float64. Are the network's weights finite?")
    flow = torch.autograd.grad(total, list(weights.values()), materialize_grads=True)
    subject.count_backward(1)
    return {name: (part * weights[name].detach()).abs() for name, part in zip(weights, flow, strict=True)}


def _checked(shape: Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, Sequence) and shape and all(isinstance(size, int) and size > 0 for size in shape):
        return tuple(shape)
    raise OptionError(f"Expected input_shape to be the sizes of an image, such as [3, 32, 32], but got {shape!r}.")
