"""One image explained for people."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.errors import DataError
from sparsescope.lime.engine import Fitted, explain_images
from sparsescope.lime.neighbourhood import Shown
from sparsescope.lime.settings import Distance, Fill, LimeSettings
from sparsescope.lime.superpixels import segment
from sparsescope.units import FloatArray

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True)
class Explanation(Fitted):
    """Which parts of an image speak for a class: the linear model (see `Fitted`) and the superpixels it speaks of.

    Args:
        segments: superpixel labels 0 … d-1 (H, W).
    """

    segments: NDArray[np.int64]

    @property
    def heat_map(self) -> FloatArray:
        """The coefficient of every pixel's superpixel (H, W): what keeping it adds to the class's probability."""
        heat: FloatArray = self.coefficients[self.segments]
        return heat


def explain(
    classifier: Classifier,
    image: Tensor | NDArray[np.floating],
    *,
    target: int | None = None,
    samples: int = 1000,
    superpixels: str = "auto",
    fill: Fill = 0.0,
    distance: Distance = "hamming",
    kernel_width: float = 0.25,
    alpha: float = 1.0,
    pivots: int = 5,
    seed: int = 0,
    image_id: int = 0,
    batch_size: int = 32,
) -> Explanation:
    """Explain one prediction by LIME (Ribeiro et al. 2016); the model is left as it was.

    Args:
        classifier: the model.
        image: (C, H, W) in [0, 1], 1 or 3 channels.
        target: the class to explain; None: the model's own top-1.
        samples, superpixels, fill, distance, kernel_width, alpha, pivots: see `LimeSettings`.
        seed: key of the random numbers.
        image_id: the image's index in its data set, if the perturbations are to be those of the metrics.
        batch_size: images per forward pass.

    Raises:
        DataError: not an image, or one with fewer than 2 superpixels, or none that removal changes.
        OptionError: a setting outside its range.
        InputError: a class the model does not have, or logits that are not finite.

    Example:
        >>> import torch
        >>> from sparsescope import Classifier
        >>> from sparsescope.lime import explain
        >>> from torch import nn
        >>> classifier = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10)))
        >>> explain(classifier, torch.rand(3, 32, 32), samples=50, superpixels="grid").heat_map.shape
        (32, 32)
    """
    settings = LimeSettings(samples, pivots, alpha, kernel_width, distance, fill, superpixels)
    pixels = _checked(image)
    segments = segment(pixels.numpy(), superpixels)
    shown = [Shown(pixels, segments, image_id)]
    targets = None if target is None else [target]
    with classifier.prepared():
        (fitted,) = explain_images(classifier, shown, settings, targets=targets, seed=seed, batch_size=batch_size)
    if fitted is None:
        size = f"this image of {segments.shape[0]} x {segments.shape[1]} pixels"
        if shown[0].superpixels < 2:
            raise DataError(
                f"Expected at least 2 superpixels, but {superpixels} finds only one in {size}. Choose grid."
            )
        raise DataError(
            f"Expected superpixels whose removal changes the image, but in {size} the fill {fill} is what is there "
            "already. Choose another fill, or larger superpixels."
        )
    return Explanation(**vars(fitted), segments=segments)


def _checked(image: Tensor | NDArray[np.floating]) -> Tensor:
    pixels = torch.as_tensor(image).detach().cpu()
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3) or not pixels.is_floating_point():
        raise DataError(
            f"Expected one image (C, H, W) of floats with 1 or 3 channels, but got {pixels.dtype} of shape "
            f"{tuple(pixels.shape)}. Give pixels / 255, channels first, without a batch dimension."
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 1):  # also catches nan
        raise DataError(
            f"Expected pixels in [0, 1], but they reach from {low:g} to {high:g}. Give pixels, not normalized values."
        )
    return pixels.float()
