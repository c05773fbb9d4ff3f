"""Forward passes of perturbed images: every batch is filled across image borders, and only one is ever in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, NotFiniteError
from sparsescope.lime.perturbations import draw_neighbourhood, filling
from sparsescope.lime.settings import Fill, LimeSettings
from sparsescope.units import FloatArray

__all__ = ["Neighbourhood", "Shown", "forwarded", "is_explainable"]

_UNSEEN = 1e-6  # means are rounded


@dataclass(frozen=True)
class Shown:
    """One image and everything about its explanation that does not depend on the model.

    Args:
        image: float32 (C, H, W) in [0, 1], on the CPU.
        segments: superpixel labels 0 … d-1 (H, W).
        image_id: key of its random numbers, >= 0.
    """

    image: Tensor
    segments: NDArray[np.int64]
    image_id: int

    @property
    def superpixels(self) -> int:
        """d, the number of superpixels."""
        return int(self.segments.max()) + 1


def is_explainable(shown: Shown, fill: Fill) -> bool:
    """Return whether removing superpixels changes an image, so that there is something to explain.

    There must be two at least. A superpixel of one pixel, or of one color, is its own mean.
    """
    if shown.superpixels < 2:
        return False
    image = shown.image.numpy()
    return bool((np.abs(filling(image, shown.segments, fill) - image) > _UNSEEN).any())


class Neighbourhood:
    """The perturbed images N_x of one image, and the explained class's probabilities as they come in.

    Args:
        shown: the image.
        settings: samples and fill.
        seed: key of the random numbers.
        target: the explained class; None: the class the model gives row 0, the unperturbed image.
        device: where the perturbed images are made.

    Attributes:
        kept: Z bool (n, d).
        probabilities: y (n,), complete once `forwarded` has yielded it.
        target: as given, or found from row 0.
    """

    def __init__(
        self, shown: Shown, settings: LimeSettings, seed: int, target: int | None, device: torch.device
    ) -> None:
        self.kept = draw_neighbourhood(settings.samples, shown.superpixels, seed, shown.image_id)
        self.probabilities: FloatArray = np.empty(settings.samples)
        self.target = target
        fill = filling(shown.image.numpy(), shown.segments, settings.fill)
        self.image = shown.image.to(device)
        self._fill = torch.tensor(fill, device=device)
        self._kept = torch.from_numpy(self.kept).to(device)
        self._segments = torch.from_numpy(shown.segments.reshape(-1)).to(device)

    def __len__(self) -> int:
        return len(self.kept)

    def write(self, row: int, out: Tensor) -> None:
        """Write the perturbed images of rows row … row + len(out) - 1 to `out` (rows, C, H, W)."""
        kept = self._kept[row : row + len(out)].index_select(1, self._segments)
        torch.where(kept.view(len(out), 1, *out.shape[2:]), self.image, self._fill, out=out)

    def record(self, row: int, probabilities: FloatArray, name: str) -> bool:
        """Keep the explained class's column of `probabilities` (rows, K); say whether these were the last rows.

        Raises:
            InputError: a class that the model called `name` does not have.
        """
        if self.target is None:
            self.target = int(probabilities[0].argmax())
        if not 0 <= self.target < probabilities.shape[1]:
            raise InputError(
                f"Expected the explained class to be one of 0–{probabilities.shape[1] - 1}, the outputs of {name}, "
                f"but got {self.target}. Give a class of this model, or this model's data set."
            )
        self.probabilities[row : row + len(probabilities)] = probabilities[:, self.target]
        return row + len(probabilities) == len(self)


def forwarded(
    classifier: Classifier, neighbourhoods: Iterable[Neighbourhood], batch_size: int
) -> Iterator[Neighbourhood]:
    """Yield each neighbourhood, in turn, as soon as all its probabilities have been recorded.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        neighbourhoods: of images of one shape, made one at a time as they are needed.
        batch_size: images per forward pass; every batch but the last is full.

    Raises:
        NotFiniteError: the model returns nan or infinity.
    """
    batch = torch.empty(0)
    waiting: list[tuple[Neighbourhood, int, slice]] = []
    filled = 0
    for item in neighbourhoods:
        if not len(batch):
            batch = item.image.new_empty((batch_size, *item.image.shape))
        row = 0
        while row < len(item):
            place = slice(filled, min(batch_size, filled + len(item) - row))
            item.write(row, batch[place])
            waiting.append((item, row, place))
            row += place.stop - place.start
            filled = place.stop
            if filled == batch_size:
                yield from _recorded(classifier, batch, waiting)
                waiting, filled = [], 0
    if filled:
        yield from _recorded(classifier, batch[:filled], waiting)


def _recorded(
    classifier: Classifier, batch: Tensor, waiting: list[tuple[Neighbourhood, int, slice]]
) -> Iterator[Neighbourhood]:
    with torch.inference_mode():
        logits = classifier(batch).cpu().double()
        probabilities = torch.softmax(logits, dim=1).numpy()
    if not np.isfinite(probabilities).all():
        raise NotFiniteError(
            f"{classifier.name} returns logits that are not finite for images with superpixels removed. "
            "Check its weights, its BatchNorm statistics and --mean/--std."
        )
    for item, row, place in waiting:
        if item.record(row, probabilities[place], classifier.name):
            yield item
