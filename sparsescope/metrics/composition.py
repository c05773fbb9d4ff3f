"""Compositional explanations of neurons (NetDissect)."""

from collections import Counter
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.dissection.settings import Search
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import Measured
from sparsescope.measurements.concept_overlap import IOUS, ConceptOverlap
from sparsescope.metrics.base import OPTIONS, Dimension, IntervalKind, MarginKind, Metric, Reads
from sparsescope.results.details.composition import DETECTOR
from sparsescope.units import Arrays, FloatArray, Units

__all__ = ["Composition", "overlap_units"]

IMAGES = 100
"""Probe images from which on intervals hold, see decision 5."""
BLOCK = 64
"""Layer units reduced at once: bounds the float64 copies of their counts."""


@dataclass(frozen=True, config=OPTIONS)
class Composition(Metric):
    """Mean over a layer's live units k of IoU_k = Σ w I_k / Σ w U_k, the best formula's overlap with the unit's mask.

    I_k and U_k are the pixels of M_k ∧ F_k and M_k ∨ F_k in each probe image; the formulas F_k, of at most `length`
    concepts, were found on all probe images and are held fixed under resampling. Dead units, which never fire, are
    counted and left out. A unit's held-out IoU is that of formulas found on one half of the images and judged on the
    other; its null is the IoU of a search with its masks on shuffled images. Its gap is how much better than the
    formula found another could be: 0 where an exact search has proven it the best.

    Args:
        layer: name of a module of the networks; None: the last whose output is a map.
        fraction: of a unit's activations that exceed its threshold.
        length: concepts in a formula, at most.
        beam: formulas kept in each round of a beam search.
        null: whether the permutation null is computed.
        held_out: whether the held-out IoU is computed.
        search: `exact`, for the best of all formulas; `beam`, for the best that the source's search finds.
        nodes: sets of three and more concepts that an exact search bounds for each unit, at most.

    Source: Mu & Andreas 2020; Bau et al. 2017; for the exact search La Rosa & Gilpin 2026.
    """

    name: ClassVar[str] = "composition"
    label: ClassVar[str] = "Compositional IoU"
    sentence: ClassVar[str] = (
        "How well the best logical formula of concepts describes where a neuron of a layer fires, the mean over the "
        "neurons that do. The formulas are chosen on the same images, so compare with the values on held-out and "
        "shuffled images."
    )
    dimension: ClassVar[Dimension] = "interpretability"
    higher_is_better: ClassVar[bool] = True
    labeled: ClassVar[bool] = False
    unit: ClassVar[str] = "IoU"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Mu & Andreas 2020"
    margin: ClassVar[float] = 0.05
    margin_kind: ClassVar[MarginKind] = "relative"
    interval: ClassVar[IntervalKind] = "jackknife"

    layer: str | None = None
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.005
    length: Annotated[int, Field(ge=1)] = 3
    beam: Annotated[int, Field(ge=1)] = 5
    null: bool = True
    held_out: bool = True
    search: Search = "exact"
    nodes: Annotated[int, Field(ge=1)] = 500_000

    @model_validator(mode="after")
    def _options_are_used(self) -> "Composition":
        unused = "beam" if self.search == "exact" else "nodes"
        usual = getattr(type(self), unused)
        if getattr(self, unused) != usual:
            raise ValueError(f"Expected {unused} = {usual} with search = {self.search}, which does not read it.")
        self._measurement()
        return self

    def _measurement(self) -> ConceptOverlap:
        return ConceptOverlap(
            self.layer, self.fraction, self.length, self.beam, self.null, self.held_out, self.search, self.nodes
        )

    @override
    @property
    def reads(self) -> Reads:
        return "activations"

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[ConceptOverlap, ...]:
        if benchmark.probe is None:
            raise NotEvaluated("no probe set")
        return (self._measurement(),)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Models may have different numbers of layer units."""
        (measurement,) = self.measurements(benchmark)
        return overlap_units(own[measurement])

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        """A unit whose mask and formula are both absent from a resample is left out there."""
        live = np.flatnonzero(~units.common["dead"])
        total = np.zeros(weights.shape[:-1])
        counted = np.zeros(weights.shape[:-1])
        for start in range(0, len(live), BLOCK):
            block = live[start : start + BLOCK]
            union = weights @ units["union"][:, block].astype(np.float64)
            intersection = weights @ units["intersection"][:, block].astype(np.float64)
            total += np.divide(intersection, union, out=np.zeros_like(union), where=union > 0).sum(axis=-1)
            counted += (union > 0).sum(axis=-1)
        with np.errstate(invalid="ignore"):
            mean: FloatArray = total / counted
        return mean

    @override
    def undecided(self, units: Units) -> str | None:
        """With fewer probe images than `IMAGES` too few of them make a unit fire."""
        return f"{len(units)} probe images, where {IMAGES} are needed" if len(units) < IMAGES else None

    @override
    def details(self, units: Units) -> dict[str, Any]:
        common = units.common
        live = ~common["dead"]
        known = {
            "layer": str(common["layer"]),
            "images": len(units),
            "layer_units": len(live),
            "dead": int((~live).sum()),
            "units": _rows(units),
        }
        if not live.any():
            return known
        ious, formulas = common["iou"][live], [str(text) for text in common["formula"][live] if text]
        categories = Counter(str(text) for text in common["category"][live] if text)
        levels = (0, 0.25, 0.5, 0.75, 1)
        return {
            **known,
            "unique_formulas": len(set(formulas)),
            "share_above_0.04": float((ious > DETECTOR).mean()),
            "label_iou": float(common["label_iou"][live].mean()),
            "null_iou": _known(common["null_iou"][live].mean()),
            "held_out_iou": _known(common["held_out_iou"][live].mean()),
            "null_share_above_0.04": float((common["null_iou"][live] > DETECTOR).mean()) if self.null else None,
            "quantiles": {str(level): float(np.quantile(ious, level)) for level in levels},
            "share_by_category": {name: number / len(ious) for name, number in sorted(categories.items())},
        }


def overlap_units(found: Arrays) -> Units:
    """Return the arrays of a `ConceptOverlap` as units, the probe images."""
    arrays = {name: array for name, array in found.items() if name not in ConceptOverlap.common}
    common = {name: array for name, array in found.items() if name in ConceptOverlap.common}
    return Units({"probe": len(found["union"])}, arrays, common)


def _known(value: float) -> float | None:
    """None for nan: what was not asked for, or cannot be."""
    return None if np.isnan(value) else float(value)


def _rows(units: Units) -> list[dict[str, Any]]:
    """One row per layer unit; None for what a dead unit, or one without a formula, does not have."""
    common = units.common
    rows = []
    for k, dead in enumerate(map(bool, common["dead"])):
        ious = {name: _known(common[name][k]) for name in IOUS}
        rows.append(
            {
                "unit": k,
                "formula": str(common["formula"][k]) or None,
                "length": int(common["length"][k]),
                "label": str(common["label"][k]) or None,
                "category": str(common["category"][k]) or None,
                "dead": dead,
                **ious,
            }
        )
    return rows
