"""What a dissection found."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import Concept
from sparsescope.dissection.formula import Formula

__all__ = ["Dissection", "Unit"]


@dataclass(frozen=True)
class Unit:
    """One unit of the dissected layer.

    Args:
        unit: its index.
        threshold: the activation above which it fires.
        dead: it never fires (its activation never exceeds its threshold, as a constant one): its IoUs are nan.
        formula: the best formula found; None where no concept lies where it fires, or it is dead.
        iou: IoU of the formula and the unit's mask; 0 without a formula.
        label: the best single concept (NetDissect).
        label_iou: its IoU.
        null_iou: IoU of the best formula found for the unit's masks on shuffled images; nan where not asked for.
        held_out_iou: IoU on each half of the images of the formula found on the other; nan where not asked for.
        gap: how far the IoU of another formula may exceed `iou`: 0 where the formula found is proven to be the best;
            nan of a beam search, which does not know.
    """

    unit: int
    threshold: float
    dead: bool
    formula: Formula | None
    iou: float
    label: Concept | None
    label_iou: float
    null_iou: float
    held_out_iou: float
    gap: float


@dataclass(frozen=True)
class Dissection:
    """The units of one layer, and what their formulas' IoUs are made of.

    The IoU of unit k with weights w on the images is Σ w I_k / Σ w U_k, with I and U the columns of `intersection` and
    `union`; uniform weights give `units[k].iou`.

    Args:
        model: name of the classifier.
        layer: name of the dissected layer.
        probe: source of the probe set.
        units: all K units.
        intersection: pixels (n, K) int32 of M_k ∧ F_k in each image.
        union: pixels (n, K) int32 of M_k ∨ F_k; 0 for dead units.
        strongest: the images (K, up to 16) int32 where each unit's largest activation is largest, in this order.
    """

    model: str
    layer: str
    probe: str
    units: tuple[Unit, ...]
    intersection: NDArray[np.int32]
    union: NDArray[np.int32]
    strongest: NDArray[np.int32]

    @property
    def mean_iou(self) -> float:
        """Mean IoU over live units; nan where all are dead."""
        return self._mean("iou")

    @property
    def mean_null_iou(self) -> float:
        """Mean over live units of the IoU on shuffled images; nan where not asked for, or all are dead."""
        return self._mean("null_iou")

    @property
    def mean_held_out_iou(self) -> float:
        """Mean over live units of the IoU on images not searched; nan where not asked for, or all are dead."""
        return self._mean("held_out_iou")

    def _mean(self, name: str) -> float:
        live = [float(getattr(unit, name)) for unit in self.units if not unit.dead]
        return sum(live) / len(live) if live else math.nan

    def rows(self) -> list[dict[str, str | int | float | bool | None]]:
        """Return a row per unit: unit, formula, iou, length, label, label_iou, dead, gap; None for what is unknown."""
        return [
            {
                "unit": unit.unit,
                "formula": None if unit.formula is None else str(unit.formula),
                "iou": None if unit.dead else unit.iou,
                "length": 0 if unit.formula is None else len(unit.formula),
                "label": None if unit.label is None else unit.label.name,
                "label_iou": None if unit.dead else unit.label_iou,
                "dead": unit.dead,
                "gap": None if math.isnan(unit.gap) else unit.gap,
            }
            for unit in self.units
        ]
