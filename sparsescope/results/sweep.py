"""Sweep: which tickets of a grid methods × sparsities × seeds were evaluated, and where. `sweep.json`; no torch."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sparsescope.errors import InputError
from sparsescope.files import is_inside, write_atomically
from sparsescope.results.base import PlainDict, Share
from sparsescope.results.evaluation import Evaluation
from sparsescope.results.methods import Method
from sparsescope.results.reading import read_record

__all__ = ["SWEEP_SCHEMA", "Sweep", "SweepPoint", "Trained", "over_seeds_file"]

SWEEP_SCHEMA: Literal["sparsescope.sweep/1"] = "sparsescope.sweep/1"


def _inside(name: str) -> str:
    if not is_inside(name):
        raise ValueError(f"expected a path below the sweep's folder, but got {name!r}")
    return name


Inside = Annotated[str, AfterValidator(_inside)]
"""A path relative to the sweep's folder, which does not lead out of it."""


def over_seeds_file(name: str) -> str:
    """Return where the evaluation of all seeds of a network is, by its name, relative to the sweep's folder."""
    return f"over-seeds/{name}.json"


class SweepPoint(BaseModel):
    """One evaluated network of a sweep.

    Args:
        method: pruning method as the recipe names it, such as `lth`; `small` for the small dense twin.
        seed: of initialisation and training, shared with its dense parent.
        target: sparsity asked for: the point of the grid; None for the small dense twin.
        sparsity: fraction of the prunable weights removed in truth; for the small dense twin the fraction of the dense
            network's parameters that it lacks.
        model: its name in the evaluation.
        evaluation: evaluation.json against its dense parent, relative to the sweep's folder.
        checkpoint: its file, relative to the sweep's folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    seed: Annotated[int, Field(ge=-(2**63), lt=2**64)]
    target: Share | None
    sparsity: Annotated[float, Field(ge=-1e6, le=1)]
    model: str
    evaluation: Inside
    checkpoint: Inside


class Trained(BaseModel):
    """How a network was trained.

    Args:
        recipe: name of the training recipe, or its file, with the values that were changed in it.
        epochs: of a whole training by it.
        first: epoch that it began with: of a rewound ticket, the one it was rewound to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    epochs: Annotated[int, Field(gt=0)]
    first: Annotated[int, Field(ge=0)] = 0


class Sweep(BaseModel):
    """A sweep's evaluated networks, in the order of methods, sparsities and seeds.

    Args:
        name: of the recipe.
        version: of sparsescope.
        created: ISO 8601.
        recipe: the recipe, as plain values.
        points: what has been evaluated so far.
        trained: how, by method as curves call it, `dense` and `small`; older records do not have it.
        contents: digests of the images, networks and training that it is made of, by name; likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["sparsescope.sweep/1"] = Field(default=SWEEP_SCHEMA, alias="schema")
    name: str
    version: str
    created: str
    recipe: PlainDict
    points: tuple[SweepPoint, ...] = ()
    trained: dict[str, Trained] = {}
    contents: dict[str, str] = {}

    def save(self, folder: str | Path) -> None:
        """Write sweep.json into the sweep's folder, atomically."""
        text = self.model_dump_json(indent=2, by_alias=True) + "\n"
        write_atomically(Path(folder) / "sweep.json", text.encode())

    @classmethod
    def load(cls, folder: str | Path) -> "Sweep":
        """Read sweep.json from a sweep's folder; raises InputError, naming the file, if there is none or a bad one."""
        path, hint = Path(folder) / "sweep.json", f" Is {folder} the folder of a sweep?"
        return read_record(cls, path, schema=SWEEP_SCHEMA, name="a sweep.json", hint=hint)

    def evaluations(self, folder: str | Path) -> dict[SweepPoint, Evaluation]:
        """Return the evaluation of every point; raises InputError, naming the file, for one that cannot be read."""
        return {point: Evaluation.load(Path(folder) / point.evaluation) for point in self.points}

    def over_seeds(self, folder: str | Path) -> dict[str, Method]:
        """Return, by the networks' name, what all its seeds together say of a method at one sparsity.

        Left out where there is no such evaluation, or where it is not of exactly the networks that were evaluated.
        """
        found: dict[str, Method] = {}
        for name in dict.fromkeys(point.model for point in self.points):
            points = [point for point in self.points if point.model == name]
            try:
                together = Evaluation.load(Path(folder) / over_seeds_file(name))
                alone = [Evaluation.load(Path(folder) / point.evaluation) for point in points]
            except InputError:
                continue
            networks = {(together.sha256(pair.dense), together.sha256(pair.candidate)) for pair in together.pairs}
            expected = {(each.sha256(each.pairs[0].dense), each.sha256(name)) for each in alone}
            if networks == expected and name in together.methods:
                found[name] = together.methods[name]
        return found
