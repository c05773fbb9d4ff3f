"""AutoAttack, from the package pyautoattack: an ensemble of attacks without parameters to tune."""

import contextlib
import importlib.util
import logging
import sys
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.attacks.ball import check_sizes, image_ids, project
from sparsescope.classifier import Classifier
from sparsescope.differentiable import differentiating, require_gradient
from sparsescope.errors import NotEvaluated
from sparsescope.randomness import generator

__all__ = ["autoattack", "require_autoattack"]

_MISSING = "the package pyautoattack is not installed (pip install 'sparsescope[attacks]')"
_CLASSES = 4  # the targeted loss needs the four largest logits
_TARGETS = 9


def require_autoattack() -> None:
    """Raise NotEvaluated, with the line that installs it, where the package is missing."""
    if importlib.util.find_spec("pyautoattack") is None:
        raise NotEvaluated(_MISSING)


def autoattack(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    epsilon: float = 8 / 255,
    *,
    seed: int = 0,
    ids: NDArray[np.int64] | None = None,
) -> Tensor:
    """Return adversarial images by AutoAttack "standard": APGD-CE, targeted APGD-DLR and FAB, and Square.

    The package draws from torch's global generator, one stream for a whole batch. So every image is attacked by
    itself, under a seed of its own: its result depends on no other image. That costs speed; the attack takes thousands
    of passes for an image that stands. torch's generator and Python's trace function are put back.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        images: float32 (N, C, H, W) in [0, 1].
        labels: true labels, integers (N,).
        epsilon: largest change of a pixel, in pixel units, >= 0.
        seed: key of the random numbers.
        ids: ids (N,) of the images, which key their random numbers; default: row numbers.

    Returns:
        float32 (N, C, H, W) in [0, 1], on the device of `images`, within ε of `images` but for float rounding; an
        image that stands, or that the model has wrong from the outset, is as it was.

    Raises:
        OptionError: epsilon is negative or no number, or the ids do not fit.
        NotEvaluated: the package is missing, or the model has fewer than 4 classes or no gradient in the images.

    Source: Croce & Hein 2020.
    """
    check_sizes(epsilon)
    require_autoattack()
    with torch.no_grad():
        logits = torch.cat([classifier(image) for image in torch.split(images, 1)])
    if logits.shape[1] < _CLASSES:
        raise NotEvaluated(f"AutoAttack needs at least {_CLASSES} classes, and {classifier.name} has {logits.shape[1]}")
    right = (logits.argmax(1) == labels.to(logits.device)).to(images.device)
    found, names = images.clone(), image_ids(ids, len(images))
    for row in right.nonzero().squeeze(1).tolist() if epsilon > 0 else []:
        key = int(generator(seed, "attack/autoattack", int(names[row])).integers(2**31))
        one = slice(row, row + 1)
        moved = _attacked(classifier, images[one], labels[one], epsilon, key, logits.shape[1])
        found[one] = project(moved.to(images.device), images[one], epsilon)
    return found


def _attacked(classifier: Classifier, image: Tensor, label: Tensor, epsilon: float, seed: int, classes: int) -> Tensor:
    from pyautoattack import AutoAttack

    def counted(gradient: Tensor) -> Tensor:
        classifier.passes.input_gradients += len(gradient)
        return gradient.contiguous()  # the package takes views of it

    def logits(pixels: Tensor) -> Tensor:
        shown = pixels.view_as(pixels)
        if shown.requires_grad:
            shown.register_hook(counted)  # type: ignore[no-untyped-call]
        output = classifier(shown)
        if shown.requires_grad:
            require_gradient(classifier, output, "the images")
        return output

    with differentiating(classifier), _undisturbed():
        attack = AutoAttack(logits, eps=epsilon, seed=seed, device=classifier.device)
        attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = min(_TARGETS, classes - 1)
        moved, _ = attack.run_standard_evaluation(image.contiguous(), label.to(image.device), batch_size=1)
    found: Tensor = moved
    return found


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put back what the package changes: torch's generators and the trace function; its log stays quiet."""
    logger, trace = logging.getLogger("auto-attack"), sys.gettrace()
    quiet = logger.disabled
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    try:
        logger.disabled = True
        with torch.random.fork_rng(devices):
            yield
    finally:
        logger.disabled = quiet
        sys.settrace(trace)
