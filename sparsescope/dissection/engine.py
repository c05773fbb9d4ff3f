"""Dissection of one layer: activations, thresholds, masks and searches, a block of units at a time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import ProbeSet
from sparsescope.classifier import Classifier
from sparsescope.dissection.activations import Maps, Progress, activations
from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.concepts import Code, ConceptStore, store_concepts
from sparsescope.dissection.firing import firing, thresholds
from sparsescope.dissection.formula import Formula
from sparsescope.dissection.held_out import HeldOut
from sparsescope.dissection.layers import default_layer
from sparsescope.dissection.result import Dissection, Unit
from sparsescope.dissection.searches import find
from sparsescope.dissection.settings import DissectionSettings
from sparsescope.dissection.unit_mask import Covered, UnitMask
from sparsescope.randomness import generator

__all__ = ["dissect"]

BLOCK_BYTES = 1 << 26
"""Activations read from disk at once; at least one unit's."""

STRONGEST = 16
"""Images whose indices are kept for every unit, to be looked at."""


def dissect(
    classifier: Classifier,
    probe: ProbeSet,
    layer: str | None = None,
    *,
    settings: DissectionSettings | None = None,
    seed: int = 0,
    batch_size: int = 32,
    store: ConceptStore | None = None,
    progress: Progress | None = None,
) -> Dissection:
    """Explain every unit of a layer by the concepts where it fires: NetDissect and compositional formulas.

    A unit's mask M is where its activation exceeds its threshold (`firing`); its explanation is the formula F of the
    largest IoU |M ∧ F| / |M ∨ F| over the probe set (`search_exactly`), or of the largest that a beam search meets
    (`search`). Memory holds one block of units' activations and two int32 per image and unit; large stores of
    activations and concepts go to temporary files.

    Args:
        classifier: the model; left as it was.
        probe: images with labelled concepts.
        layer: name of a module; None: the settings', else the last whose output is a map.
        settings: fraction above the threshold, the search and its sizes, null, held_out.
        seed: key of the shuffles behind `null_iou`.
        batch_size: images per forward pass; changes no number but for float rounding.
        store: the packed concepts of `probe`, where they are there already: they serve any number of models.
        progress: called with (done, in all, "images" or "units").

    Returns:
        the units with formulas and IoUs, and per-image counts.

    Raises:
        OptionError: the layer does not exist, is not reached, or gives no map.
        DataError: the probe set's labels are not usable.
        NotEvaluated: an activation is not finite, or the probe set tells nothing apart.

    Source: Bau et al. 2017; Mu & Andreas 2020.
    """
    settings = settings or DissectionSettings()
    store = store_concepts(probe) if store is None else store
    store.check()
    with classifier.prepared():
        name = layer or settings.layer or default_layer(classifier, probe.read([0]))
        maps = activations(classifier, probe, name, batch_size=batch_size, progress=progress)
    held_out = HeldOut(store, settings) if settings.held_out else None
    bench = _Bench(store, FormulaAreas(store), held_out, settings, seed)
    n, width = maps.shape[:2]
    intersection, union = np.zeros((n, width), dtype=np.int32), np.zeros((n, width), dtype=np.int32)
    units = []
    strongest = np.zeros((width, min(n, STRONGEST)), dtype=np.int32)
    for index, peaks, mask, threshold in _masks(maps, settings.fraction, store.label_shape):
        strongest[index] = np.argsort(-peaks, kind="stable")[:STRONGEST]
        unit, intersection[:, index], union[:, index] = bench.explain(index, mask, threshold)
        units.append(unit)
        if progress is not None:
            progress(index + 1, width, "units")
    return Dissection(classifier.name, name, probe.source, tuple(units), intersection, union, strongest)


def _masks(maps: Maps, fraction: float, label_shape: tuple[int, int]) -> Iterator[tuple[int, Maps, UnitMask, float]]:
    """Every unit's index, largest activation (n,) in each image, mask and threshold."""
    n, width, height, length = maps.shape
    size = max(1, BLOCK_BYTES // (4 * n * height * length))
    for start in range(0, width, size):
        block = np.ascontiguousarray(maps[:, start : start + size])
        for k, threshold in enumerate(thresholds(block, fraction)):
            peaks = block[:, k].max(axis=(1, 2))
            yield start + k, peaks, firing(block[:, k], float(threshold), label_shape), float(threshold)


@dataclass(frozen=True)
class _Bench:
    """Where units are explained, one after the other; `areas` remembers what was counted for the units before."""

    store: ConceptStore
    areas: FormulaAreas
    held_out: HeldOut | None
    settings: DissectionSettings
    seed: int

    def explain(
        self, index: int, mask: UnitMask, threshold: float
    ) -> tuple[Unit, NDArray[np.int64], NDArray[np.int64]]:
        """Return a unit, and |M ∧ F| and |M ∨ F| (n,) of every image."""
        nothing = np.zeros(self.store.n_images, dtype=np.int64)
        if not len(mask.words):
            return Unit(index, threshold, True, None, math.nan, None, *[math.nan] * 4), nothing, nothing
        covered = Covered(self.store, mask)
        found = find(self.areas, covered, self.settings)
        fires = mask.image_areas(self.store.n_images)
        unit = Unit(
            unit=index,
            threshold=threshold,
            dead=False,
            formula=None if found.formula is None else self._named(found.formula),
            iou=found.iou,
            label=None if found.label is None else self.store.concepts[found.label],
            label_iou=found.label_iou,
            null_iou=self._null(index, mask),
            held_out_iou=math.nan if self.held_out is None else self.held_out.iou(mask),
            gap=found.bound - found.iou,
        )
        if found.formula is None:
            return unit, nothing, fires
        both = mask.image_areas(self.store.n_images, covered.formula(found.formula))
        return unit, both, fires + self.store.image_areas(found.formula) - both

    def _named(self, code: Code) -> Formula:
        labels, operators = code
        return Formula(tuple(self.store.concepts[label] for label in labels), operators)

    def _null(self, index: int, mask: UnitMask) -> float:
        """The best IoU for masks of the same shapes that have nothing to do with the images they lie on."""
        if not self.settings.null:
            return math.nan
        order = generator(self.seed, "dissection/null", index).permutation(self.store.n_images)
        return find(self.areas, Covered(self.store, mask.shuffled(order)), self.settings).iou
