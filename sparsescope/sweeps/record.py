"""The record of a sweep on disk: what is finished, what failed, and whether the folder is this recipe's.

Several commands may share a folder: each works on seeds of its own, and adds to the record what it has done.
"""

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

import sparsescope
from sparsescope.errors import InputError, OptionError
from sparsescope.files import read_json, write_atomically
from sparsescope.pruning import find
from sparsescope.results import Evaluation, Sweep, SweepPoint
from sparsescope.sweeps.contents import Contents, recorded, respelled
from sparsescope.sweeps.plan import Point, chain, points
from sparsescope.sweeps.recipe import SweepRecipe
from sparsescope.sweeps.requests import check_made
from sparsescope.userfiles import object_name

__all__ = [
    "Failure",
    "check_tickets",
    "evaluation_file",
    "finished",
    "open_record",
    "save_failures",
    "save_record",
    "working_on",
]


@dataclass(frozen=True)
class Failure:
    """A network that could not be made or evaluated, and why; the method is `dense` where its seed has nothing."""

    method: str
    target: float | None
    seed: int
    reason: str

    @property
    def point(self) -> Point:
        """What failed."""
        return Point(self.method, self.target, self.seed)


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
    status = path.stat()
    return _digest_of(path.resolve(), status.st_mtime_ns, status.st_size)


@cache
def _digest_of(path: Path, changed: int, size: int) -> str:
    """Read a file once as long as it does not change: every ticket of a seed has the same dense network."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_record(recipe: SweepRecipe, folder: Path, contents: Contents) -> Sweep:
    """Return the record in the folder, or a new one.

    Args:
        recipe: of this command.
        folder: of the sweep.
        contents: of the recipe: files may have moved since, but not changed.

    Raises:
        OptionError: the folder holds the sweep of another recipe, or of other content; the text names what differs.
    """
    if (folder / "sweep.json").exists():
        record = respelled(Sweep.load(folder), recipe)
        clashing = [method for method in record.recipe.get("methods", ()) if _clashes(method, recipe)]
        if clashing:
            raise OptionError(
                f"{folder} holds the sweep {record.name} with {clashing[0]}, whose runs are called as a method's are "
                "here. Rename the function, or choose another folder."
            )
        if differing := recipe.differences(record.recipe, by_content=bool(record.contents)):
            raise OptionError(
                f"{folder} holds the sweep {record.name} with other settings: {', '.join(differing)}. Choose another "
                "folder, or the same settings; methods, sparsities, seeds and the small dense network may change."
            )
        if changed := contents.changed_since(record, folder):
            raise OptionError(
                f"{folder} holds the sweep {record.name} with another content: {', '.join(changed)} changed. Its "
                "finished networks are not mixed with new ones: choose another folder, or give the same content, "
                "which may lie elsewhere."
            )
        return record
    return Sweep(
        name=recipe.name,
        version=sparsescope.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        recipe=recipe.model_dump(mode="json"),
        trained=recipe.trained(),
        contents=dict(contents.parts),
    )


def _clashes(method: str, recipe: SweepRecipe) -> bool:
    """Whether a method's runs have the folders of another one in the recipe."""
    mine = {object_name(each).casefold(): each for each in recipe.methods}
    return mine.get(object_name(method).casefold(), method) != method


def check_tickets(recipe: SweepRecipe, whole: SweepRecipe, folder: Path) -> None:
    """Raise OptionError if a ticket in the folder was made by other code or another training than its method's now.

    Args:
        recipe: of this command: tickets of its methods are checked.
        whole: with what else the folder's record lists.
        folder: of the sweep.
    """
    for point in points(whole):
        if point.target is not None and point.method in recipe.methods:
            schedule = recipe.training_recipe(point.method)
            check_made(folder / f"seed-{point.seed}", find(point.method), point.name, schedule)


def save_record(
    recipe: SweepRecipe,
    done: Mapping[Point, SweepPoint],
    folder: Path,
    contents: Contents,
    *,
    check: bool = False,
) -> Sweep:
    """Add what is done to the record, in the plan's order, and write it if that is new; return it.

    Args:
        recipe: of this command; the record keeps what other commands were asked for.
        done: finished points.
        folder: of the sweep.
        contents: of the recipe.
        check: whether to drop what else the record lists where it does not lie there any more.
    """
    with _locked(folder):
        record = open_record(recipe, folder, contents)
        whole = recipe.joined(recorded(record, folder))
        every = {Point(known.method, known.target, known.seed): known for known in record.points} | dict(done)
        lost = {point for point in every if check and point not in done and finished(folder, point) is None}
        found = tuple(every[point] for point in points(whole) if point in every and point not in lost)
        plain = whole.model_dump(mode="json")
        trained = record.trained | recipe.trained()
        parts = {**record.contents, **contents.parts}
        changes = {"name": whole.name, "recipe": plain, "points": found, "trained": trained, "contents": parts}
        updated = record.model_copy(update=changes)
        if not (folder / "sweep.json").exists() or updated != Sweep.load(folder):
            updated.save(folder)
        return updated


def save_failures(folder: Path, failures: Sequence[Failure], tried: Collection[Point]) -> None:
    """Write failures.json, or remove it where nothing failed; what other commands met elsewhere stays in it.

    Args:
        folder: of the sweep.
        failures: of this command.
        tried: points that it tried; of a seed whose dense network it tried, at least one.
    """
    path = folder / "failures.json"
    seeds, runs = {point.seed for point in tried}, {(point.seed, point.name) for point in tried}
    with _locked(folder):
        kept = [
            failure
            for failure in _failures(path)
            if (
                failure.seed not in seeds
                if failure.method == "dense"
                else (failure.seed, failure.point.name) not in runs
            )
        ]
        if listed := [*kept, *failures]:
            content = json.dumps([dataclasses.asdict(failure) for failure in listed], indent=2) + "\n"
            write_atomically(path, content.encode())
        else:
            path.unlink(missing_ok=True)


def _failures(path: Path) -> list[Failure]:
    """Return what failed before; nothing where the list is missing or damaged: it is tried again in any case."""
    try:
        return [Failure(**entry) for entry in read_json(path)]
    except (OSError, ValueError, TypeError):
        return []


@contextmanager
def working_on(folder: Path, seed: int) -> Iterator[bool]:
    """Keep other commands from a seed, until the process ends at the latest; gives False where one works on it now."""
    place = folder / f"seed-{seed}"
    place.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _locked(folder: Path) -> FileLock:
    """Keep other commands from sweep.json and failures.json for a moment."""
    return FileLock(folder / ".lock")
