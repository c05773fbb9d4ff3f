"""Details of the metric `composition`, made up from a row per unit."""

from collections import Counter
from typing import Any

import numpy as np


def neuron_details(ious: list[float | None], formula: str = "a AND b", layer: str = "layer3") -> dict[str, Any]:
    """Return details whose unit k has IoU `ious[k]`; None is a dead unit, 0 one without a formula."""
    units = [_row(unit, iou, formula) for unit, iou in enumerate(ious)]
    live = [row for row in units if not row["dead"]]
    found = {"layer": layer, "images": 400, "layer_units": len(ious), "dead": len(ious) - len(live), "units": units}
    if not live:
        return found
    categories = Counter(row["category"] for row in live if row["category"])
    return found | {
        "unique_formulas": len({row["formula"] for row in live if row["formula"]}),
        "share_above_0.04": float(np.mean([row["iou"] > 0.04 for row in live])),
        "label_iou": float(np.mean([row["label_iou"] for row in live])),
        "null_iou": float(np.mean([row["null_iou"] for row in live])),
        "held_out_iou": float(np.mean([row["held_out_iou"] for row in live])),
        "null_share_above_0.04": 0.0,
        "quantiles": {},
        "share_by_category": {name: number / len(live) for name, number in categories.items()},
    }


def _row(unit: int, iou: float | None, formula: str) -> dict[str, Any]:
    return {
        "unit": unit,
        "formula": f"{formula} OR {unit}" if iou else None,
        "length": 3 if iou else 0,
        "label": "a" if iou else None,
        "category": ("color", "object")[unit % 2] if iou else None,
        "dead": iou is None,
        "iou": iou,
        "label_iou": None if iou is None else iou / 2,
        "null_iou": None if iou is None else 0.01,
        "held_out_iou": None if iou is None else iou / 4,
        "gap": None if iou is None else 0.0,
    }
