"""The records that an evaluation is made of beside its metrics: models, benchmark, verdicts, radar, cost."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from sparsescope.results.base import Count, Finite, OptionalFloat, OptionalInterval, Record, Share

__all__ = [
    "DIMENSIONS",
    "BenchmarkInfo",
    "Cost",
    "Dimension",
    "ImageSetInfo",
    "LayerInfo",
    "LookTaken",
    "MarginKind",
    "MetricVerdict",
    "ModelInfo",
    "NormalizationInfo",
    "Outcome",
    "PaperVerdict",
    "Radar",
    "SparsityInfo",
    "Until",
    "Verdict",
]

Dimension = Literal["generalization", "calibration", "interpretability", "geometry"]
"""What a metric is about."""
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
"""In the order of tables and plots."""
Outcome = Literal["pass", "fail", "inconclusive", "not evaluated"]
MarginKind = Literal["absolute", "relative"]
Until = Literal["metrics", "verdict"]
"""What is to be decided where an evaluation stops once it is: each metric, or the verdict."""


class ImageSetInfo(Record):
    """An image set: `n` images of `shape` (C, H, W); out-of-distribution sets and corruptions are `parts` of one."""

    n: Count
    shape: tuple[Count, Count, Count]
    source: str
    parts: dict[str, Count] = Field(default={})


class BenchmarkInfo(Record):
    """The benchmark; keys of `sets`: test, train, corrupted, ood, probe."""

    name: str
    fingerprint: str
    classes: tuple[str, ...] = ()
    sets: dict[str, ImageSetInfo]


class LayerInfo(Record):
    """Sparsity (fraction removed) of one weight tensor."""

    name: str
    shape: tuple[Count, ...]
    sparsity: Share


class SparsityInfo(Record):
    """Fraction removed of the prunable weights, of all parameters, and per layer."""

    prunable: Share
    total: Share
    layers: tuple[LayerInfo, ...]


class NormalizationInfo(Record):
    """Mean and standard deviation per channel, in [0, 1] units, and where they come from."""

    mean: tuple[Finite, ...]
    std: tuple[Finite, ...]
    source: str | None = None


class ModelInfo(Record):
    """One evaluated model.

    `architecture_guessed` where nothing but names and shapes of its weights says what its architecture is. `bytes` of
    the files that hold it, and `macs`, multiply-accumulate operations for one image, are None where they are unknown.
    `forward_only`: what answered where no gradient was asked for, the network itself or its prepacked graph.
    """

    name: str
    role: Literal["dense", "candidate"]
    path: str | None
    sha256: str | None
    architecture: str | None
    architecture_guessed: bool = False
    parameters: Count
    nonzero: Count
    bytes: Count | None = None
    macs: Count | None = None
    forward_only: Literal["network", "prepacked"] = "network"
    normalization: NormalizationInfo | None = None
    sparsity: SparsityInfo
    warnings: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        if self.nonzero > self.parameters:
            raise ValueError(f"expected nonzero <= parameters, but got {self.nonzero} and {self.parameters}")
        return self


class LookTaken(Record):
    """When measuring goes on until it is decided: the look at which a candidate's numbers of one metric were taken.

    `number` of `of` looks; `level` is the confidence level of the intervals made there, and `spent` what of the error
    1 - confidence may have been used up by then, so that all looks together keep it. `used` of `planned` units.
    """

    number: Count
    of: Count
    level: Share
    spent: Share
    used: Count
    planned: Count


class MetricVerdict(Record):
    """Whether one metric matches dense to within its margin."""

    outcome: Outcome
    margin: Annotated[Finite, Field(ge=0)]
    margin_kind: MarginKind
    reason: str | None = None


class PaperVerdict(Record):
    """The paper's own reading: point estimates, no uncertainty."""

    outcome: Outcome
    metrics: dict[str, Outcome]


class Verdict(Record):
    """LTH-PASS or not, for one candidate.

    `partial` where it does not cover every metric of the full verdict; `constant` where the candidate gives every image
    the same answer, and so fails whatever its metrics say; `identical` where it is the dense model, bit for bit, and so
    passes in all that could be measured.

    Example:
        >>> import numpy as np
        >>> import sparsescope as ss
        >>> from torch import nn
        >>> images = np.random.default_rng(0).integers(0, 256, (9, 4, 4), dtype=np.uint8)
        >>> benchmark = ss.Benchmark("noise", ss.ArrayImages(images, np.arange(9) % 2))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
        >>> verdict = ss.evaluate(model, [model], benchmark, metrics=["accuracy"], cache=False).verdict("sparse")
        >>> verdict.outcome, verdict.partial
        ('pass', True)
    """

    outcome: Outcome
    policy: str
    confidence: Share
    partial: bool
    constant: bool = False
    identical: bool = False
    statement: str
    dimensions: dict[Dimension, Outcome]
    metrics: dict[str, MetricVerdict]
    paper: PaperVerdict


class Radar(Record):
    """Normalised values, outward is better; `bands` are intervals on the same scale."""

    normalisation: Literal["minmax", "ratio"]
    axes: tuple[str, ...]
    values: dict[str, tuple[OptionalFloat, ...]]
    bands: dict[str, tuple[OptionalInterval, ...]] = Field(default={})

    @model_validator(mode="after")
    def _a_value_on_every_axis(self) -> Self:
        if len(set(self.axes)) < len(self.axes):
            raise ValueError(f"expected different axes, but got {list(self.axes)}")
        for kind, rows in (("values", self.values), ("bands", self.bands)):
            for model, row in rows.items():
                if len(row) != len(self.axes):
                    raise ValueError(
                        f"expected {len(self.axes)} {kind} of {model}, one on each axis, but got {len(row)}"
                    )
        return self


class Cost(Record):
    """What the evaluation took: images forward and backward, and how many jobs came from the cache.

    `forward_equivalents`: all passes by what they take, in forward passes of one image through the dense model; None in
    files of earlier versions. A backward pass is one gradient, or half of a product with a Hessian.

    Where measuring went on until it was decided: how often there was a look at the numbers, and how many passes what
    was used takes, cached or not, of how many planned ones. Both are estimates, in forward passes of one image.
    """

    seconds: Annotated[Finite, Field(ge=0)]
    forward_passes: Count
    backward_passes: Count
    cached: Count
    forward_equivalents: OptionalFloat = None
    until_decided: Until | None = None
    looks: Count | None = None
    used_passes: Count | None = None
    planned_passes: Count | None = None
