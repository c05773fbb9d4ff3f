"""The settings of a local linear explanation: everything that changes its numbers."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sparsescope.errors import OptionError
from sparsescope.lime.superpixels import superpixel_names

__all__ = ["Distance", "Fill", "LimeSettings", "Target"]

Distance = Literal["hamming", "cosine"]
Target = Literal["dense", "own", "label"]
"""The class that is explained: the dense model's for every model, each model's own, or the label."""
Fill = float | tuple[float, ...] | Literal["mean", "blur"]


@dataclass(frozen=True)
class LimeSettings:
    """How an image is perturbed and how the linear model is fitted. Numbers under different settings do not compare.

    Args:
        samples: n, the number of perturbed images, the unperturbed one included; each costs one forward pass.
        pivots: J, how many perturbed images the stability refits around; less than `samples`.
        alpha: ridge penalty on the coefficients, >= 0; 0 takes the solution of least norm.
        kernel_width: width of the kernel that turns distances into weights, > 0.
        distance: distance between rows of Z: `hamming` (share of superpixels that differ; the paper) or `cosine` (the
            paper's code and the lime package).
        fill: what replaces a removed superpixel: a grey level in [0, 1], a colour (one level per channel), `mean` (the
            superpixel's own mean colour) or `blur` (the image under a Gaussian of 1/16 of its longer side).
        superpixels: the segmentation: `auto` or a name of `SUPERPIXELS`.

    Raises:
        OptionError: a value outside its range.
    """

    samples: int = 1000
    pivots: int = 5
    alpha: float = 1.0
    kernel_width: float = 0.25
    distance: Distance = "hamming"
    fill: Fill = 0.0
    superpixels: str = "auto"

    def __post_init__(self) -> None:
        _check(self.samples >= 2, "samples", "at least 2", self.samples)
        _check(1 <= self.pivots < self.samples, "pivots", f"from 1 to samples - 1 = {self.samples - 1}", self.pivots)
        _check(math.isfinite(self.alpha) and self.alpha >= 0, "alpha", "a finite number >= 0", self.alpha)
        _check(math.isfinite(self.kernel_width) and self.kernel_width > 0, "kernel_width", "> 0", self.kernel_width)
        for name, choices in (("distance", get_args(Distance)), ("superpixels", superpixel_names())):
            _check(getattr(self, name) in choices, name, "one of " + ", ".join(choices), getattr(self, name))
        if isinstance(self.fill, str):
            _check(self.fill in ("mean", "blur"), "fill", "a number, a color, mean or blur", self.fill)
        else:
            levels = self.fill if isinstance(self.fill, tuple) else (self.fill,)
            _check(bool(levels) and all(0 <= x <= 1 for x in levels), "fill", "colors in [0, 1] (pixels)", self.fill)


def _check(fine: bool, name: str, expected: str, got: Any) -> None:
    if not fine:
        raise OptionError(f"Expected {name} to be {expected}, but got {got!r}.")
