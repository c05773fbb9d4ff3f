"""The images that units respond to most, with where they fire and where their formulas hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sparsescope.benchmark import ProbeSet
from sparsescope.classifier import Classifier
from sparsescope.dissection.activations import Maps
from sparsescope.dissection.firing import above
from sparsescope.dissection.layers import as_maps, captured
from sparsescope.dissection.result import Dissection, Unit

__all__ = ["Portrait", "portraits"]


@dataclass(frozen=True)
class Portrait:
    """One image as one unit sees it.

    Args:
        image: index in the probe set.
        pixels: the image (C, H, W) in [0, 1].
        fires: M, where the unit fires, bool (h, w) in the size of the label maps.
        holds: F, where its formula holds, bool (h, w).
        iou: |M ∧ F| / |M ∨ F| in this image alone.
    """

    image: int
    pixels: NDArray[np.float32]
    fires: NDArray[np.bool_]
    holds: NDArray[np.bool_]
    iou: float


def portraits(
    classifier: Classifier,
    probe: ProbeSet,
    found: Dissection,
    units: Sequence[int],
    count: int = 4,
    *,
    batch_size: int = 32,
) -> dict[int, tuple[Portrait, ...]]:
    """Return, for some units, the images with the largest activations among those where the unit fires.

    Takes a forward pass for each different image. A dead unit has no portraits.

    Args:
        classifier: the dissected model; left as it was.
        probe: the probe set it was dissected on.
        found: the dissection.
        units: indices of units.
        count: images per unit, at most; no more than 16 are known.
        batch_size: images per forward pass.

    Returns:
        unit -> its portraits, strongest first.
    """
    live = [k for k in units if not found.units[k].dead]
    wanted = {k: found.strongest[k][:count].tolist() for k in live}
    images = np.unique(np.array(list(wanted.values()), dtype=np.int64))
    maps = _maps(classifier, probe, found.layer, images, live, batch_size)
    made: dict[int, list[Portrait]] = {k: [] for k in units}
    for place, image in enumerate(images):
        pixels, shown = probe.read([image])[0].numpy(), _concepts(probe, int(image))
        for column, k in enumerate(live):
            if image not in wanted[k]:
                continue
            fires = above(maps[place : place + 1, column], found.units[k].threshold, probe.label_shape)[0]
            if fires.any():
                holds = _formula(found.units[k], shown, fires.shape)
                iou = float((fires & holds).sum() / (fires | holds).sum())
                made[k].append(Portrait(int(image), pixels, fires, holds, iou))
    return {k: tuple(sorted(row, key=lambda item: wanted[k].index(item.image))) for k, row in made.items()}


def _maps(
    classifier: Classifier, probe: ProbeSet, layer: str, images: NDArray[np.int64], units: list[int], batch_size: int
) -> Maps:
    """Return the maps (images, units, h, w) of some units."""
    parts: list[Maps] = []
    with classifier.prepared(), captured(classifier, layer) as outputs, torch.no_grad():
        for start in range(0, len(images), batch_size):
            chunk = images[start : start + batch_size]
            outputs.clear()
            classifier(probe.read(chunk))
            parts.append(as_maps(outputs[-1], len(chunk), layer)[:, units].float().cpu().numpy())
    return np.concatenate(parts) if parts else np.empty((0, len(units), 1, 1), dtype=np.float32)


def _concepts(probe: ProbeSet, image: int) -> dict[str, NDArray[np.bool_]]:
    indices, masks = probe.labels(image)
    return {probe.concepts[index].name: mask for index, mask in zip(indices, masks, strict=True)}


def _formula(unit: Unit, shown: dict[str, NDArray[np.bool_]], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    nowhere = np.zeros(shape, dtype=bool)
    if unit.formula is None:
        return nowhere
    return unit.formula.evaluate({concept: shown.get(concept.name, nowhere) for concept in unit.formula.concepts})
