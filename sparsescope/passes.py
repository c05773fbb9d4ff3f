"""Passes: how many images went through a network, by what was computed of them, and what each kind costs."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

__all__ = ["Passes", "Rates"]


@dataclass
class Passes:
    """How many images went forward and backward through a network; fractions where they are expected, not counted.

    Args:
        forward: forward passes, all of them.
        tracked: those of them that kept what a backward pass needs.
        input_gradients: gradients in the images, or other products with the Jacobian there.
        weight_gradients: gradients in the weights.
        input_products: products with the Hessian in the images, on a gradient that is there already.
        weight_products: products with the Hessian in the weights, likewise.
    """

    forward: float = 0
    tracked: float = 0
    input_gradients: float = 0
    weight_gradients: float = 0
    input_products: float = 0
    weight_products: float = 0

    @property
    def backward(self) -> float:
        """Backward passes: one for each gradient, two for each product."""
        return self.input_gradients + self.weight_gradients + 2 * (self.input_products + self.weight_products)

    @property
    def untracked(self) -> float:
        """Forward passes that kept nothing."""
        return self.forward - self.tracked

    def __add__(self, other: "Passes") -> "Passes":
        return Passes(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    def __sub__(self, other: "Passes") -> "Passes":
        return self + other * -1

    def __mul__(self, number: float) -> "Passes":
        return Passes(*(getattr(self, item.name) * number for item in fields(self)))

    @classmethod
    def total(cls, several: Iterable["Passes"]) -> "Passes":
        """Return the sum."""
        return sum(several, start=cls())


@dataclass(frozen=True)
class Rates:
    """What a pass of one image costs by its kind, in forward passes of a network; the names are those of `Passes`.

    The defaults are about those of convolutional networks; `curvature.rates` measures them.
    """

    untracked: float = 1.0
    tracked: float = 1.1
    input_gradients: float = 1.3
    weight_gradients: float = 2.0
    input_products: float = 4.0
    weight_products: float = 6.0

    def cost(self, passes: Passes) -> float:
        """Return what passes cost in forward passes."""
        total: float = sum(getattr(self, item.name) * getattr(passes, item.name) for item in fields(self))
        return total

    def __mul__(self, number: float) -> "Rates":
        return Rates(*(getattr(self, item.name) * number for item in fields(self)))
