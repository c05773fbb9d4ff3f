"""SynFlow: keep the connections through which most synaptic flow passes; looks at no data and collapses no layer."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sparsescope.errors import InputError, OptionError
from sparsescope.pruning.linearized import Linearized
from sparsescope.pruning.subject import Scores, Subject

__all__ = ["synflow"]

_ROUNDING = 1e-12
"""Share of R in float64 below which the flow through a layer is rounding."""


def synflow(subject: Subject, *, input_shape: Sequence[int] | None = None) -> Scores:
    """Score |dR/dw * w| with R the sum of the outputs for an image of ones, all parameters replaced by their size.

    Everything in the state dictionary is replaced by its absolute value, biases and running statistics too, and
    normalisation uses its running statistics, as in the authors' code. R is taken before a softmax or sigmoid at the
    end. Functions that saturate or rescale, such as ReLU6, GELU, gates, attention and LayerNorm, are linearized so that
    flow is conserved as it is in the networks of ReLUs that SynFlow is made for (`Linearized`), with a warning.
    Computed in float64: in float32 R of a deep network overflows. `prune` asks for the scores 100 times, as sparsity
    rises along 1 - (1 - s)^(k/100), each time with the weights removed so far at zero; scored once, SynFlow is another
    method. Source: Tanaka et al. 2020, equation 3 and algorithm 1.

    Args:
        subject: the network.
        input_shape: (C, H, W) of an image; by default that of the first image of `batches`.

    Raises:
        InputError: neither `input_shape` nor batches are given, R overflows float64 or does not depend on the weights,
            or a Classifier's outputs are probabilities and nothing is seen that makes them of logits.
        OptionError: `input_shape` is no shape.

    Warns:
        SparsescopeWarning: functions were linearized, or a softmax or sigmoid at the end left out; once for a network.
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
    total = _sum_of_outputs(subject, working, torch.ones(1, *shape, dtype=torch.float64, device=device))
    flow = torch.autograd.grad(total, list(weights.values()), materialize_grads=True)
    subject.count_backward(1)
    scores = {name: (part * weights[name].detach()).abs() for name, part in zip(weights, flow, strict=True)}
    most, whole = max(float(score.sum()) for score in scores.values()), float(total.detach())
    if 0 < most <= _ROUNDING * whole:
        raise InputError(
            f"SynFlow's sum of outputs, {whole:.3g}, does not depend on the weights: at most {most:.1e} of it passes "
            "through a layer. Something in the network that cannot be seen, such as a scripted module, saturates or "
            "undoes the weights' scale. Give the network without it."
        )
    return scores


def _sum_of_outputs(subject: Subject, working: nn.Module, images: Tensor) -> Tensor:
    """Return R of the linearized network, before a softmax or sigmoid at its end."""
    mode, squashed = Linearized(images), False

    def before_squashing(module: nn.Module, inputs: Any, outputs: Any) -> Any:
        nonlocal squashed
        found, squashed = mode.unsquashed(outputs)
        return found if squashed else outputs

    handle = working.register_forward_hook(before_squashing)
    with mode:
        total = subject.outputs(images, working).sum()
    handle.remove()
    if subject.gives_probabilities and not squashed:
        raise InputError(
            "SynFlow adds up the outputs before the softmax, but the network returns probabilities, and no softmax or "
            "sigmoid is seen at its end. Give the network without what makes probabilities of its outputs."
        )
    if not bool(torch.isfinite(total)):
        raise InputError(
            f"SynFlow's sum of outputs is {float(total.detach()):g} in float64. Are the network's weights finite?"
        )
    if mode.replaced:
        listed = ", ".join(f"{name} ({count})" for name, count in sorted(mode.replaced.items()))
        subject.warn(
            "SynFlow is made for networks of ReLUs. It scores a linearized form of this one, in which no flow is lost. "
            f"Replaced are functions that saturate, rescale or multiply activations: {listed}."
        )
    elif squashed:
        subject.warn("SynFlow adds up the outputs before the softmax or sigmoid at the end of the network.")
    return total


def _checked(shape: Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, Sequence) and shape and all(isinstance(size, int) and size > 0 for size in shape):
        return tuple(shape)
    raise OptionError(f"Expected input_shape to be the sizes of an image, such as [3, 32, 32], but got {shape!r}.")
