"""Formula: concepts joined by OR, AND and AND NOT, read from left to right."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from sparsescope.benchmark import Concept

__all__ = ["Formula", "Operator", "combine"]


class Operator(IntEnum):
    """What joins a formula and one more concept; the values are the order in which equally good formulas come."""

    OR = 0
    AND = 1
    AND_NOT = 2

    @override
    def __str__(self) -> str:
        return self.name.replace("_", " ")


def combine(operator: Operator, left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Return `left OPERATOR right` of boolean masks or of bit-packed words."""
    if operator == Operator.OR:
        joined: NDArray[Any] = left | right
    elif operator == Operator.AND:
        joined = left & right
    else:
        joined = left & ~right
    return joined


@dataclass(frozen=True)
class Formula:
    """((c_1 o_1 c_2) o_2 c_3) ...: a logical formula of concepts, such as `(water OR river) AND NOT blue`.

    Args:
        concepts: c_1, c_2, ..., at least one.
        operators: o_1, o_2, ..., one fewer.

    Example:
        >>> from sparsescope import Concept
        >>> from sparsescope.dissection.formula import Formula, Operator
        >>> print(Formula((Concept("car", "object"), Concept("black", "color")), (Operator.AND_NOT,)))
        car AND NOT black
    """

    concepts: tuple[Concept, ...]
    operators: tuple[Operator, ...] = ()

    def __post_init__(self) -> None:
        if len(self.concepts) != len(self.operators) + 1:
            raise ValueError(
                f"Expected one operator between every two concepts, but got {len(self.concepts)} concepts and "
                f"{len(self.operators)} operators."
            )

    def __len__(self) -> int:
        return len(self.concepts)

    @override
    def __str__(self) -> str:
        text = self.concepts[0].name
        for position, (operator, concept) in enumerate(zip(self.operators, self.concepts[1:], strict=True)):
            text = f"{f'({text})' if position else text} {operator} {concept.name}"
        return text

    def evaluate(self, masks: Mapping[Concept, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Return where the formula holds, bool of the masks' shape."""
        result = masks[self.concepts[0]]
        for operator, concept in zip(self.operators, self.concepts[1:], strict=True):
            result = combine(operator, result, masks[concept])
        return result
