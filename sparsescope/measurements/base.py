"""What a measurement is: the expensive map over sampling units whose results metrics reduce."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Capability, Classifier
from sparsescope.passes import Passes
from sparsescope.units import Arrays

__all__ = ["Measured", "Measurement", "run"]


class Measurement(abc.ABC):
    """A map over the sampling units of one population.

    Subclasses are frozen dataclasses whose fields are all the options that change a result. Two metrics that ask for
    equal measurements share one: that is how each (model, image set) is predicted only once.

    A unit's numbers may depend on its id, the seed, the model and the options; never on the batch, the shard, the
    worker or (but for `indivisible` measurements) another unit. Random numbers come from `randomness.generator(seed,
    stream, unit id)`.
    """

    label: ClassVar[str] = "measuring"
    """What the progress bar calls it, in plain words."""

    version: ClassVar[int] = 1
    """Raised whenever the numbers change, so that older cached results are not used. Of a measurement that is not
    sparsescope's own the source counts anyway, with all that it imports; see `evaluation.cache.measurement_key`."""

    indivisible: ClassVar[bool] = False
    """True where a unit's numbers depend on the other units: `measure` then gets all units at once, never a shard."""

    common: ClassVar[frozenset[str]] = frozenset()
    """Names of arrays that are of the model as a whole, not per unit; only an indivisible measurement may have any."""

    facts: ClassVar[tuple[str, ...]] = ()
    """What it asks of a model beside its units, by names of `curvature.facts.FACTS`: found out once for each model."""
    forward_only: ClassVar[bool] = False
    """True where `measure` asks for nothing but logits, without gradients: a prepacked network may then answer in the
    model's place (see `evaluation.forward_only`)."""
    needs: ClassVar[frozenset[Capability]] = frozenset()
    """What it does with a network beside asking for its answers; a model that lacks any of it is not measured."""

    @property
    @abc.abstractmethod
    def population(self) -> str:
        """Name of the population; measurements with the same one have the same units."""

    @abc.abstractmethod
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        """Return the ids (n,) of the sampling units, such as image indices; raises NotEvaluated if it cannot run."""

    @abc.abstractmethod
    def cost(self, benchmark: Benchmark) -> float:
        """Return roughly how many forward passes of one image a unit takes: it sizes the shards, so by a rule alone."""

    def planned_passes(self, benchmark: Benchmark, classifier: Classifier, batch_size: int) -> Passes:
        """Return about which passes of one image a unit takes of one model: what the progress bar goes by.

        Args:
            benchmark: the data.
            classifier: the model, whose `facts` are known.
            batch_size: as in `measure`.
        """
        return Passes(forward=self.cost(benchmark))

    def strata(self, benchmark: Benchmark, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class (n,) of each unit, so that units are measured in an order whose every part has all classes.

        By default all are of one class, and the order is plainly random. It decides no number.
        """
        return np.zeros(len(ids), dtype=np.int64)

    def image_sets(self, benchmark: Benchmark) -> tuple[str, ...]:
        """Return the names of the sets that decide the result, as in `Benchmark.fingerprint_of`: the cache key."""
        return tuple(benchmark.sets)

    def check(self, classifier: Classifier) -> None:
        """Raise InputError for an option that does not fit a model, such as a layer; asked before all measurements."""
        return

    def requires(self) -> tuple["Measurement", ...]:
        """Return the measurements of the dense model that `given` reads."""
        return ()

    def given(self, benchmark: Benchmark, seed: int, dense: "Measured") -> Arrays:
        """Return per-unit arrays (n, ...) taken from the dense model's results, handed to `measure` of every model."""
        return {}

    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> Any:
        """Return what is shown for these units, the same for every model: images, corruptions, superpixels."""
        raise NotImplementedError

    @abc.abstractmethod
    def measure(self, classifier: Classifier, shown: Any, given: Arrays, batch_size: int) -> Arrays:
        """Return the arrays (len(ids), ...) of one model for the units that `prepare` made ready, and the `common`.

        Args:
            classifier: the model, inside `Classifier.prepared`.
            shown: what `prepare` returned.
            given: rows of what `given` returned, for these units.
            batch_size: images per forward pass; changes speed and memory, never a number (but for float rounding).
        """


Measured = Mapping[Measurement, Arrays]


def run(
    measurement: Measurement,
    classifier: Classifier,
    benchmark: Benchmark,
    *,
    dense: Measured | None = None,
    seed: int = 0,
    batch_size: int = 32,
) -> Arrays:
    """Measure all units in this process at once: the direct way, without plan, cache or progress.

    Args:
        measurement: what to measure.
        classifier: the model; left as it was.
        benchmark: the data.
        dense: results of the dense model for `measurement.requires()`.
        seed: key of all random numbers.
        batch_size: images per forward pass.

    Returns:
        name -> array (n, ...).
    """
    ids = measurement.unit_ids(benchmark, seed)
    given = measurement.given(benchmark, seed, dense or {})
    classifier.require(*measurement.needs)
    with classifier.prepared():
        return measurement.measure(classifier, measurement.prepare(benchmark, ids, seed), given, batch_size)
