"""Answers that depend on the other images of the batch."""

from typing import ClassVar

import numpy as np
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import override

from sparsescope.evaluation.checks.base import Check, Finding, Shown
from sparsescope.units import FloatArray

__all__ = ["AnswersAlone"]

ROUNDING, HALF_ROUNDING = 0.01, 0.1
"""Share of the spread of logits by which answers may differ: kernels of other batch sizes add in another order."""

_NAMED = 3


class AnswersAlone(Check):
    """Whether an image gets the same answer alone and among others."""

    asks: ClassVar[str] = "Does an image get the same answer alone as among others?"
    how: ClassVar[str] = (
        "Two of the images are shown alone; where a network cannot take a single image, as pairs. Their logits may "
        "differ by 1 % of the spread of logits (10 % in half precision). Skipped where answers do not repeat anyway."
    )
    then: ClassVar[str] = (
        "A warning that its numbers cannot be reproduced at another batch size; likely layers are named."
    )
    cost: ClassVar[str] = "2 forward passes"

    @override
    def of_model(self, shown: Shown) -> Finding:
        if not shown.repeats:
            return Finding()
        rows = np.flatnonzero(shown.finite)[[1, -1]].tolist() if shown.finite.sum() > 1 else []
        noted, depends = "", False
        for row in rows:
            alone, cause = _asked(shown, [row])
            batch = [row] if alone is not None else [row, 0]
            if alone is None:
                noted = f"cannot take a batch of one image ({cause})"
                alone, _ = _asked(shown, batch)
            if alone is not None:
                depends |= not shown.agree(shown.logits[batch], alone, HALF_ROUNDING if shown.half else ROUNDING)
        if depends:
            said = "its answer for an image depends on the others in its batch, and its numbers cannot be reproduced at"
            first = f"{noted}; " if noted else ""
            return Finding((f"{first}{said} another batch size{_suspects(shown)}.",))
        if noted:
            return Finding((f"{noted}: where images are left over for a batch of one, measuring it breaks off.",))
        return Finding()


def _asked(shown: Shown, rows: list[int]) -> tuple[FloatArray | None, str]:
    """Return the logits of some of the images as one batch; None, and the cause, where the network cannot take it."""
    try:
        return shown.ask(rows), ""
    except Exception as error:  # whatever a foreign network raises
        return None, str(error).partition("\n")[0] or type(error).__name__


def _suspects(shown: Shown) -> str:
    """Return the layers that are likely the cause, as the end of a sentence."""
    found = [
        (
            name or type(layer).__name__,
            "has no running statistics" if layer.running_mean is None else "is in training mode",
        )
        for name, layer in shown.classifier.module.named_modules()
        if isinstance(layer, _BatchNorm) and (layer.running_mean is None or layer.training)
    ]
    if not found:
        return ""
    names, (_, why) = ", ".join(name for name, _ in found[:_NAMED]), found[0]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f": BatchNorm {names}{more} {why}"
