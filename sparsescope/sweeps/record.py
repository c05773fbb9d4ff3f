"""The record of a sweep on disk: what is finished, what failed, and whether the folder is this recipe's."""

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sparsescope
from sparsescope.errors import InputError, OptionError
from sparsescope.files import write_atomically
from sparsescope.results import Evaluation
from sparsescope.sweep import Sweep, SweepPoint
from sparsescope.sweeps.plan import Point, chain, points
from sparsescope.sweeps.recipe import SweepRecipe

__all__ = ["Failure", "evaluation_file", "finished", "open_record", "save_record", "write_failures"]


@dataclass(frozen=True)
class Failure:
    """A network that could not be made or evaluated, and why; the method is `dense` where its seed has nothing."""

    method: str
    target: float | None
    seed: int
    reason: str


def evaluation_file(point: Point) -> str:
    """Return where a point's evaluation is, relative to the sweep's folder."""
    return f"seed-{point.seed}/evaluations/{point.name}.json"


def _checkpoint(seed: int, run: str) -> str:
    return f"seed-{seed}/{run}/checkpoint.pt"


def finished(folder: Path, point: Point) -> SweepPoint | None:
    """Return the record of a point whose evaluation is there and is of the networks that are there."""
    run = chain(point)[-1]
    try:
        evaluation = Evaluation.load(folder / evaluation_file(point))
        digests = [_digest(folder / _checkpoint(point.seed, name)) for name in ("dense", run)]
    except (InputError, OSError):
        return None
    if [model.sha256 for model in evaluation.models] != digests:
        return None
    dense, model = evaluation.models
    lacking = 1 - model.parameters / dense.parameters
    return SweepPoint(
        method=point.method,
        seed=point.seed,
        target=point.target,
        sparsity=model.sparsity.prunable if point.target is not None else lacking,
        model=model.name,
        evaluation=evaluation_file(point),
        checkpoint=_checkpoint(point.seed, run),
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_record(recipe: SweepRecipe, folder: Path) -> Sweep:
    """Return the record in the folder, which is made if need be, or a new one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made a folder: {error.strerror}. Choose another place.") from error
    if (folder / "sweep.json").exists():
        record = Sweep.load(folder)
        if differing := recipe.differences(record.recipe):
            raise OptionError(
                f"{folder} holds the sweep {record.name} with other settings: {', '.join(differing)}. Choose another "
                "folder, or the same settings; methods, sparsities, seeds and the small twin may change."
            )
        return record
    return Sweep(
        name=recipe.name,
        version=sparsescope.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        recipe=recipe.model_dump(mode="json"),
    )


def save_record(record: Sweep, recipe: SweepRecipe, done: Mapping[Point, SweepPoint], folder: Path) -> Sweep:
    """Return the record with what is done, in the plan's order, written if it is new."""
    found = tuple(done[point] for point in points(recipe) if point in done)
    updated = record.model_copy(update={"name": recipe.name, "recipe": recipe.model_dump(mode="json"), "points": found})
    if updated != record or not (folder / "sweep.json").exists():
        updated.save(folder)
    return updated


def write_failures(folder: Path, failures: Sequence[Failure]) -> None:
    """Write failures.json, or remove it where nothing failed."""
    path = folder / "failures.json"
    if failures:
        content = json.dumps([dataclasses.asdict(failure) for failure in failures], indent=2) + "\n"
        write_atomically(path, content.encode())
    else:
        path.unlink(missing_ok=True)
