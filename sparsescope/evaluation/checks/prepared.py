"""Models that answer like dense only where their images are prepared in another way."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from sparsescope.classifier import Classifier
from sparsescope.evaluation.checks.base import Check, Doubt, Finding, images_to_show
from sparsescope.evaluation.task import Task
from sparsescope.preprocessing import CIFAR10, IMAGENET
from sparsescope.units import FloatArray

__all__ = ["PreparedAlike"]

_NEAR = 0.02
"""Relative distance from dense's logits below which nothing is looked for."""
_NEARER, _FAR_NEARER = 0.75, 0.5
"""Share of that distance which another preparation leaves: of networks that are then alike, and of all others."""
_ALIKE = 0.1
"""Relative distance from dense's logits of a network that is dense itself but for rounding, or for a few weights."""


@dataclass(frozen=True)
class _Way:
    """A way to prepare images: what the network is given is (x - mean) / std, of channels in reverse if `reverse`."""

    words: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    reverse: bool = False


_KNOWN = (
    _Way("pixels in [0, 1] as they are", (0.0,), (1.0,)),
    _Way("levels from 0 to 255", (0.0,), (1 / 255,)),
    _Way("pixels from -1 to 1: mean 0.5 and std 0.5", (0.5,), (0.5,)),
    _Way("the mean and std of ImageNet", IMAGENET.mean, IMAGENET.std),
    _Way("the mean and std of CIFAR-10", CIFAR10.mean, CIFAR10.std),
)


class PreparedAlike(Check):
    """Whether a candidate's images are prepared as it expects: the commonest mistake with exported networks."""

    asks: ClassVar[str] = "Are a candidate's images prepared as it expects them?"
    how: ClassVar[str] = (
        "Its logits on a few test images are compared with dense's, prepared as they are and in other usual ways: "
        "other mean and std, levels from 0 to 255, channels in reverse order. Interpolation is not tried."
    )
    then: ClassVar[str] = (
        "A warning that names the way in which its answers are nearer to dense's by half, or by a quarter where "
        "they are then almost the same; its metrics are not judged."
    )
    cost: ClassVar[str] = "up to 176 forward passes of a candidate whose logits differ from dense's by more than 2 %"

    @override
    def of_task(self, task: Task, logits: Mapping[str, FloatArray]) -> Mapping[str, Finding]:
        expected, found = _centered(logits[task.dense.name][1:]), {}
        for candidate in task.candidates:
            own = _distance(_centered(logits[candidate.name][1:]), expected)
            if _NEAR < own < float("inf"):
                with contextlib.suppress(Exception):  # whatever a foreign network raises on images that are not for it
                    way, distance = _nearest(candidate, images_to_show(task.benchmark.test)[1:], expected)
                    if distance < (_NEARER if distance < _ALIKE else _FAR_NEARER) * own:
                        found[candidate.name] = _finding(way, distance, own)
        return found


def _nearest(candidate: Classifier, images: Tensor, expected: FloatArray) -> tuple[_Way, float]:
    """Return the other way to prepare images that brings logits nearest to those that are expected, and how near."""
    tried = {
        way: _distance(_logits(candidate, _prepared(images, way, candidate)), expected)
        for way in _ways(candidate, images.shape[1])
    }
    return min(tried.items(), key=lambda each: each[1])


def _finding(way: _Way, distance: float, own: float) -> Finding:
    order = " with channels in reverse (blue, green, red)" if way.reverse else ""
    text = (
        f"answers like dense only where its images are prepared otherwise: with {way.words}{order} its logits differ "
        f"from dense's by {distance:.0%}, and as they are prepared now by {own:.0%}"
    )
    advice = "Give --mean/--std, or export it anew, without what prepares images for another program."
    return Finding((f"{text}. {advice}",), Doubt(frozenset({"activations", "order", "probabilities", "logits"}), text))


def _ways(classifier: Classifier, channels: int) -> Iterator[_Way]:
    """Yield ways that differ from the present one, for images of so many channels."""
    present = _Way("the mean and std that are used now", tuple(classifier.mean), tuple(classifier.std))
    for way in (present, *_KNOWN):
        if len(way.mean) not in (1, channels):
            continue
        if way is not present and not (way.mean == present.mean and way.std == present.std):
            yield way
        if channels == 3 and (way is present or way.mean != present.mean or way.std != present.std):
            yield _Way(way.words, way.mean, way.std, reverse=True)


def _prepared(images: Tensor, way: _Way, classifier: Classifier) -> Tensor:
    """Return images that the network gets as `way` says, once the classifier has normalized them."""

    def column(values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, dtype=images.dtype).view(1, -1, 1, 1)

    shown = images.flip(1) if way.reverse else images
    given = (shown - column(way.mean)) / column(way.std)
    return given * column(tuple(classifier.std)) + column(tuple(classifier.mean))


def _logits(classifier: Classifier, images: Tensor) -> FloatArray:
    with torch.no_grad(), classifier.prepared():
        logits: FloatArray = classifier(images).double().cpu().numpy()
    return _centered(logits)


def _centered(logits: FloatArray) -> FloatArray:
    """Return logits (n, K) without the mean of each image, which decides nothing."""
    centered: FloatArray = logits - logits.mean(axis=1, keepdims=True)
    return centered


def _distance(logits: FloatArray, expected: FloatArray) -> float:
    """Return the relative distance of logits from those of dense; infinite where they are not all finite."""
    if logits.shape != expected.shape or not (np.isfinite(logits).all() and np.isfinite(expected).all()):
        return float("inf")
    return float(np.linalg.norm(logits - expected)) / max(float(np.linalg.norm(expected)), 1e-12)
