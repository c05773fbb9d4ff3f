"""What is tried on every model before anything is measured: nan, image shape, number of outputs, answers that vary."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.benchmark import ImageSet
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, DataError, InputError, NotFiniteError, raise_together
from sparsescope.evaluation.task import Task
from sparsescope.identity import Identity
from sparsescope.measurements.predictions import predict

__all__ = ["check_models", "grey_answers", "is_constant", "varied_images", "warn_of_equal_models"]

SHOWN = 8
"""Test images that show whether a model always gives the same answer."""


def check_models(task: Task, device: str) -> set[str]:
    """Show every model one grey image twice: finite logits, of one width that covers the labels, and the same ones.

    All models that cannot be used are named at once. One that answers at random gets a warning, and one that gives
    every image the same answer too; their names are returned.
    """
    widths, refused, constant = {}, [], set()
    varied = varied_images(task.benchmark.test)
    for classifier in task.classifiers:
        try:
            with classifier.prepared(device):
                first, again = grey_answers(classifier, task.benchmark.test.shape)
                if is_constant(classifier, varied):
                    constant.add(classifier.name)
        except InputError as error:
            refused.append(error)
            continue
        widths[classifier.name] = len(first)
        if not np.allclose(first, again, rtol=1e-3, atol=1e-3):
            classifier.warnings += (
                "answers the same image differently each time: random numbers in its forward pass, such as dropout "
                "that eval mode does not switch off. Its numbers cannot be reproduced.",
            )
    raise_together(refused, len(task.classifiers), "models")
    if len(set(widths.values())) > 1:
        raise DataError(
            "Expected all models to have the same number of outputs, but got "
            + ", ".join(f"{name}: {width}" for name, width in widths.items())
            + ". Compare models of one task."
        )
    task.benchmark.check_labels(next(iter(widths.values())))
    for classifier in task.classifiers:
        if classifier.name in constant:
            classifier.warnings += (
                "gives every image the same answer. Explanations and curvature of such a network look perfect, and say "
                "nothing.",
            )
    return constant


def warn_of_equal_models(classifiers: Sequence[Classifier], identities: Mapping[str, Identity]) -> None:
    """Warn of every model that is the same as one before it, by its file or by all that decides its answers.

    Args:
        classifiers: the models.
        identities: name -> what the model is.
    """
    for place, classifier in enumerate(classifiers):
        own = identities[classifier.name]
        for earlier in classifiers[:place]:
            same_file = classifier.origin.sha256 is not None and classifier.origin.sha256 == earlier.origin.sha256
            if same_file or (own == identities[earlier.name] and not own.unread):
                what = "is the same file as" if same_file else "has the same weights, mask and code as"
                classifier.warnings += (f"{what} {earlier.name}. Was another model meant?",)
                break


def grey_answers(classifier: Classifier, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the logits (2, K) for the same grey image twice; the classifier must be prepared.

    Raises:
        ArtefactError: weights that are nan, or answers that are not finite.
        DataError: the network cannot take images of this shape (C, H, W).
    """
    broken = [name for name, tensor in classifier.module.state_dict().items() if bool(tensor.isnan().any())]
    if broken:
        more = f" and {len(broken) - 1} more of its tensors hold" if len(broken) > 1 else " holds"
        raise ArtefactError(f"{classifier.name}: {broken[0]}{more} nan. Did its training diverge?")
    try:
        return predict(classifier, torch.full((2, *shape), 0.5), 2)
    except InputError:
        raise
    except Exception as error:  # whatever a foreign network raises on images that are not for it
        cause = str(error).partition("\n")[0] or type(error).__name__
        check = "--arch, and channels and size of the images (--data, --resize, --crop, --size)"
        if classifier.channels not in (None, shape[0]):
            cause = f"it seems to take {classifier.channels} channels, and they have {shape[0]}"
            check = "--arch, or convert the images; only image files (folder:DIR) are read in grey where it is needed"
        raise DataError(
            f"{classifier.name} cannot take images of shape {tuple(shape)} (C, H, W): {cause}. Check {check}."
        ) from error


def varied_images(test: ImageSet) -> Tensor:
    """Return a grey image and some of the test images (n, C, H, W)."""
    some = np.unique(np.linspace(0, len(test) - 1, SHOWN).astype(np.int64))
    return torch.cat([torch.full((1, *test.shape), 0.5), test.read(some)])


def is_constant(classifier: Classifier, images: Tensor) -> bool:
    """Return whether different images (n, C, H, W) get one and the same answer; the classifier must be prepared.

    Softmax does not see what all logits of an image have in common, so that is left out.
    """
    try:
        logits = predict(classifier, images, 2).astype(np.float64)
    except NotFiniteError:  # the measurements say so, each for its own images
        return False
    logits -= logits.mean(axis=1, keepdims=True)
    return bool((np.ptp(logits, axis=0) <= 1e-6 * max(1.0, np.abs(logits).max())).all())
