"""Gradients that are not those of the answers: a part of them is cut, or estimated by a rule of the network's own."""

import contextlib
import copy
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from sparsescope.curvature.linearity import signs_like
from sparsescope.evaluation.checks.base import Check, Doubt, Finding, Shown
from sparsescope.metrics.base import Differentiates
from sparsescope.randomness import generator

__all__ = ["TrueGradients"]

_STEP = 1e-8
"""In normalized pixels, and relative to each weight: so short that hardly a ReLU of millions changes sides."""
_AGREE, _CONSISTENT = 0.02, 0.002
"""Relative differences that are rounding: of the slope that autograd gives, and between slopes ahead and behind."""
_VISIBLE = 1e-5
"""Of the sum of all logits: smaller slopes over so short a step are lost in what float64 rounds away."""
_BLUR = 0.02
"""Standard deviation of the noise on the images: flat areas lie on the kinks of ReLU and max-pooling."""

_Slopes = dict[Differentiates, tuple[float, float]]


class TrueGradients(Check):
    """Whether autograd's gradient is the slope of the answers, in the images and in the weights."""

    asks: ClassVar[str] = "Are the gradients those of the answers?"
    how: ClassVar[str] = (
        "In a float64 copy the answer to an image is followed over a tiny step along one random direction of the "
        "image, and of the weights, and the change is compared with what the gradient foretells. Where the answers "
        "are too rough for that, or the copy cannot be made, nothing is known. Only where a metric needs gradients."
    )
    then: ClassVar[str] = "A warning; metrics of that gradient are not judged, so that there is no PASS."
    cost: ClassVar[str] = "5 forward passes and a backward pass in float64, and memory for that copy of one model"

    @override
    def of_model(self, shown: Shown) -> Finding:
        needed: list[Differentiates] = [kind for kind in ("images", "weights") if kind in shown.reads]
        slopes: _Slopes = {}
        if needed and shown.repeats:
            with contextlib.suppress(Exception):  # whatever foreign code raises in another precision
                slopes = _slopes(shown, needed)
        wrong = {kind: pair for kind, pair in slopes.items() if abs(pair[0] - pair[1]) > _AGREE * max(map(abs, pair))}
        if not wrong:
            return Finding()
        seen = " and ".join(
            f"the {kind} ({told:.3g} where the slope is {true:.3g})" for kind, (told, true) in wrong.items()
        )
        reason = (
            f"has a gradient in {seen} that is not that of its answers: its forward pass cuts a part of it (detach, "
            "no_grad) or has a rule of its own for it"
        )
        return Finding((f"{reason}. Metrics of that gradient are not judged.",), Doubt(frozenset(wrong), reason))


def _slopes(shown: Shown, needed: list[Differentiates]) -> _Slopes:
    """Return what autograd foretells and what comes out, for each kind of which both are known."""
    classifier, images = shown.classifier, shown.images[1:2]

    def look(module: nn.Module, inputs: Tensor) -> _Slopes:
        private = copy.deepcopy(module).double()
        noise = generator(0, "checks/gradients", 0).standard_normal(inputs.shape)
        pixels = (inputs.double() + _BLUR * torch.from_numpy(noise).to(inputs.device)).requires_grad_()
        weights = [weight.requires_grad_() for weight in private.parameters() if weight.is_floating_point()]

        def logits() -> Tensor:
            return classifier.logits(classifier.reader.values(private(pixels), len(pixels)), len(pixels))

        with torch.enable_grad():
            now = logits()
            gradients = torch.autograd.grad(now, [pixels, *weights], signs_like(now), allow_unused=True)
        visible = _VISIBLE * float(now.detach().abs().sum())
        moved: dict[Differentiates, slice] = {"images": slice(0, 1), "weights": slice(1, None)}
        found: _Slopes = {}
        for kind in needed:
            tensors, own = [pixels, *weights][moved[kind]], gradients[moved[kind]]
            directions = [signs_like(each) * (1.0 if each is pixels else each.detach().abs()) for each in tensors]
            told = sum(float((g * d).sum()) for g, d in zip(own, directions, strict=True) if g is not None)
            true = _slope(logits, tensors, directions, now.detach())
            if true is not None and max(abs(told), abs(true)) > visible:
                found[kind] = (told, true)
        return found

    return classifier.looked_at(images, look)


@torch.no_grad()
def _slope(logits: Callable[[], Tensor], tensors: list[Tensor], directions: list[Tensor], now: Tensor) -> float | None:
    """Return the slope of the sum of signed logits along a direction, None if it is another one ahead than behind."""

    def change(step: float) -> float:
        for tensor, direction in zip(tensors, directions, strict=True):
            tensor.add_(direction, alpha=step)
        try:
            return float(((logits() - now) * signs_like(now)).sum())
        finally:
            for tensor, direction in zip(tensors, directions, strict=True):
                tensor.sub_(direction, alpha=step)

    ahead, behind = change(_STEP) / _STEP, -change(-_STEP) / _STEP
    return (ahead + behind) / 2 if abs(ahead - behind) <= _CONSISTENT * max(abs(ahead), abs(behind)) else None
