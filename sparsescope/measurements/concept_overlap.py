"""Where the units of a layer meet the concepts of a probe set: what the metric `composition` reduces."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from sparsescope.benchmark import Benchmark, ProbeSet
from sparsescope.classifier import Capability, Classifier
from sparsescope.dissection import ConceptStore, Dissection, DissectionSettings, Unit, dissect, store_concepts
from sparsescope.dissection.layers import find_layer
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import Measurement
from sparsescope.units import Arrays

__all__ = ["IOUS", "ConceptOverlap", "overlap_arrays"]

IOUS = ("iou", "label_iou", "null_iou", "held_out_iou", "gap")
"""What is known of every layer unit as an IoU, or a difference of two."""


class _ShownProbe(NamedTuple):
    probe: ProbeSet
    store: ConceptStore
    seed: int


@dataclass(frozen=True)
class ConceptOverlap(DissectionSettings, Measurement):
    """The dissection of one layer. Its sampling units are the probe images; options: see `DissectionSettings`.

    Thresholds and formulas are found on all images together, so it is indivisible. Arrays (n, K) of each image and
    layer unit, int32: `intersection` and `union`, the pixels of M ∧ F and M ∨ F for the unit's mask M and formula F.

    Common arrays: `layer`, its name; and (K,) of each layer unit: `formula`, `label` (the best single concept) and
    `category` (the label's), str, empty where there is none; `length` int64; `dead` bool; `iou`, `label_iou`,
    `null_iou`, `held_out_iou` and `gap` float64.
    """

    label: ClassVar[str] = "compositional neurons"
    indivisible: ClassVar[bool] = True
    needs: ClassVar[frozenset[Capability]] = frozenset({"activations"})
    common: ClassVar[frozenset[str]] = frozenset({"layer", "formula", "label", "category", "length", "dead", *IOUS})

    @override
    @property
    def population(self) -> str:
        return "probe"

    @override
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        return np.arange(len(_probe(benchmark)))

    @override
    def cost(self, benchmark: Benchmark) -> float:
        """The search takes about as long as the forward passes of a small network."""
        return 2.0

    @override
    def image_sets(self, benchmark: Benchmark) -> tuple[str, ...]:
        return ("probe",)

    @override
    def check(self, classifier: Classifier) -> None:
        if self.layer is not None:
            find_layer(classifier, self.layer)

    @override
    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> _ShownProbe:
        """Return the probe set and its packed concepts, the same for all models."""
        probe = _probe(benchmark)
        return _ShownProbe(probe, store_concepts(probe), seed)

    @override
    def measure(self, classifier: Classifier, shown: _ShownProbe, given: Arrays, batch_size: int) -> Arrays:
        settings = DissectionSettings(**{item.name: getattr(self, item.name) for item in fields(DissectionSettings)})
        found = dissect(
            classifier,
            shown.probe,
            settings=settings,
            seed=shown.seed,
            batch_size=batch_size,
            store=shown.store,
        )
        return overlap_arrays(found)


def _probe(benchmark: Benchmark) -> ProbeSet:
    if benchmark.probe is None:
        raise NotEvaluated("no probe set")
    return benchmark.probe


def overlap_arrays(found: Dissection) -> Arrays:
    """Return a dissection as the arrays of `ConceptOverlap`."""
    arrays = {"intersection": found.intersection, "union": found.union, "layer": np.array(found.layer)}
    return arrays | _columns(found.units)


def _columns(units: tuple[Unit, ...]) -> dict[str, NDArray[Any]]:
    return {
        "formula": np.array(["" if unit.formula is None else str(unit.formula) for unit in units], dtype=np.str_),
        "label": np.array(["" if unit.label is None else unit.label.name for unit in units], dtype=np.str_),
        "category": np.array(["" if unit.label is None else unit.label.category for unit in units], dtype=np.str_),
        "length": np.array([0 if unit.formula is None else len(unit.formula) for unit in units], dtype=np.int64),
        "dead": np.array([unit.dead for unit in units], dtype=np.bool_),
    } | {name: np.array([getattr(unit, name) for unit in units]) for name in IOUS}
