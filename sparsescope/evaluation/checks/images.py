"""Images that the network cannot take, and a plain one for which it has no finite answer."""

from typing import ClassVar

from typing_extensions import override

from sparsescope.errors import NotFiniteError
from sparsescope.evaluation.checks.base import Check, Finding, Shown

__all__ = ["TakesImages"]


class TakesImages(Check):
    """Whether the network takes the images, and returns finite logits (n, K) for a grey one."""

    asks: ClassVar[str] = "Does the network take these images, and return one row of class scores for each?"
    how: ClassVar[str] = (
        "It is shown a grey image and up to 16 test images, as one batch; the grey one's logits are read."
    )
    then: ClassVar[str] = (
        "The model is refused, with the shapes; where it returns several tensors, all are listed with what "
        "`--model-output` calls them; where it returns one score for an image, or dimensions of size 1, the form that "
        "reads them is named."
    )
    cost: ClassVar[str] = "17 forward passes"

    @override
    def of_model(self, shown: Shown) -> Finding:
        if not shown.finite[0]:
            wrong = next(value for value in shown.logits[0].tolist() if value - value != 0)
            raise NotFiniteError(
                f"{shown.classifier.name} returns {wrong} for a grey image. Check its weights, its BatchNorm "
                "statistics and --mean/--std."
            )
        return Finding()
