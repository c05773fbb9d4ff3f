"""The models and the data of a method: pairs of a dense model and a candidate, of several trainings."""

from collections.abc import Sequence
from dataclasses import replace

from sparsescope.benchmark import Benchmark
from sparsescope.errors import OptionError
from sparsescope.evaluation.models import Model, ModelOptions, open_pairs
from sparsescope.evaluation.task import DataOptions, Task, with_data

__all__ = ["METHOD", "open_paired_task"]

METHOD = "method"
"""What a method is called that has no name."""


def open_paired_task(
    pairs: Sequence[tuple[Model, Model]],
    data: str | Benchmark | None = None,
    *,
    name: str = METHOD,
    models: ModelOptions | None = None,
    images: DataOptions | None = None,
) -> Task:
    """Open the pairs of a method, of different trainings, and data; see `open_task`. The first dense model leads.

    Args:
        pairs: dense model and candidate of each.
        data: as of `open_task`.
        name: of the method.
        models: what files and modules do not say of themselves.
        images: as of `open_task`.

    Raises:
        OptionError: also where a pair is given twice, or the method has the name of a model.
        InputError: as `open_task`.
    """
    classifiers, paired = open_pairs(pairs, models)
    if not name.strip() or name in paired.models:
        raise OptionError(
            f"Expected a name for the method that no model has, but got {name!r}. Models: {paired.models}."
        )
    dense = {pair.dense: model for (model, _), pair in zip(pairs, paired, strict=True)}
    task = with_data(classifiers, list(dense.values()), data, images)
    return replace(task, method=name, paired=paired)
