"""What a sweep is made of, by content: where its files lie and how they are called decides nothing."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsescope.architectures import is_known_code, resolve
from sparsescope.benchmark import Benchmark
from sparsescope.errors import InputError
from sparsescope.identity import Fingerprint
from sparsescope.results import Evaluation, Sweep
from sparsescope.sweeps import schedules
from sparsescope.sweeps.recipe import SweepRecipe
from sparsescope.training.recipe import validated
from sparsescope.userfiles import object_name

__all__ = ["Contents", "contents_of", "recorded", "respelled"]

_IMAGES = {"test": "test images", "train": "training images", "corrupted": "corrupted images", "probe": "probe images"}
_SMALL = "small dense network"


@dataclass(frozen=True)
class Contents:
    """What decides a sweep's numbers beside its settings.

    Args:
        parts: name -> digest, or an installed network's SPEC.
        benchmark: fingerprint of all images together, as evaluations have it.
    """

    parts: Mapping[str, str]
    benchmark: str

    def changed_since(self, record: Sweep, folder: Path) -> list[str]:
        """Return the names of what was other content when the record in a folder was made.

        The small dense network may come later, or be left out. Older records have no contents: their evaluations know
        the images.
        """
        theirs = record.contents
        if not theirs:
            return ["images"] if _evaluated_on(record, folder) not in (None, self.benchmark) else []
        optional = {_SMALL} - (self.parts.keys() & theirs.keys())
        names = dict.fromkeys([*theirs, *self.parts])
        return [name for name in names if self.parts.get(name) != theirs.get(name) and name not in optional]


def contents_of(recipe: SweepRecipe, benchmark: Benchmark) -> Contents:
    """Return the contents of a sweep.

    Args:
        recipe: the sweep.
        benchmark: its data.

    Raises:
        OptionError: there is no such architecture; the text has the near misses.
        InputError: the file or module of an architecture cannot be imported.
    """
    beside = {"corrupted": benchmark.corrupted, "probe": benchmark.probe}
    sets = [*benchmark.sets, *(name for name, images in beside.items() if images is not None)]
    found = {_called(name): benchmark.fingerprint_of(name) for name in sets}
    networks = {"architecture": recipe.architecture, _SMALL: recipe.small}
    found |= {name: _code(spec) for name, spec in networks.items() if spec is not None}
    training = recipe.training_recipe().model_dump(mode="json", exclude={"description", "source"})
    found["training"] = hashlib.sha256(json.dumps(training, sort_keys=True).encode()).hexdigest()
    return Contents(found, benchmark.fingerprint)


def respelled(record: Sweep, recipe: SweepRecipe) -> Sweep:
    """Return a record that names scoring functions and training recipes as the recipe does: their files may have moved.

    Whether they are the same, its contents and the tickets know (`requests.check_made`).
    """
    mine = {object_name(method): method for method in recipe.methods}

    def spelled(method: str) -> str:
        return mine.get(object_name(method), method)

    def keyed(table: Mapping[str, Any]) -> dict[str, Any]:
        return {spelled(method): values for method, values in table.items()}

    content = dict(record.recipe)
    content["methods"] = [spelled(method) for method in content.get("methods", ())]
    content["options"] = keyed(content.get("options", {}))
    training = content.get("training", {})
    if "training" in record.contents:
        training = {**training, **schedules.shared(recipe.training)}
    if tables := {**keyed(schedules.own(training)), **schedules.own(recipe.training)}:
        training = {**training, "methods": tables}
    content["training"] = training
    points = tuple(point.model_copy(update={"method": spelled(point.method)}) for point in record.points)
    return record.model_copy(update={"recipe": content, "points": points})


def recorded(record: Sweep, folder: Path) -> SweepRecipe:
    """Return the recipe in a record; OptionError where it cannot be read, as a training recipe of its own is gone."""
    return validated(SweepRecipe, dict(record.recipe), f"{folder / 'sweep.json'}")


def _called(name: str) -> str:
    group, _, rest = name.partition(":")
    return f"{rest} images (out of distribution)" if rest else _IMAGES[group]


def _evaluated_on(record: Sweep, folder: Path) -> str | None:
    for point in record.points:
        try:
            return Evaluation.load(folder / point.evaluation).benchmark.fingerprint
        except InputError:
            continue
    return None


def _code(spec: str) -> str:
    """Return what tells an architecture from another: of the user's own code a digest, else its SPEC."""
    function = resolve(spec).function
    if is_known_code(spec):
        return spec
    found = Fingerprint()
    found.add(function)
    return found.identity.digest
