"""SweepRecipe: everything that a sweep is made of. The recipes of the package are TOML files in `recipes/`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sparsescope.errors import OptionError
from sparsescope.evaluation.settings import Settings, resolve
from sparsescope.pruning import find, names
from sparsescope.sweeps.requests import check_request
from sparsescope.sweeps.workshop import Rewind
from sparsescope.training import Recipe, load_recipe
from sparsescope.training.recipe import read_toml, toml_names, validated

__all__ = ["EvaluationRecipe", "SweepRecipe", "load_sweep", "sweep_names"]

_GRID = ("name", "description", "source", "small", "methods", "sparsities", "rounds", "seeds")


class EvaluationRecipe(BaseModel):
    """How every ticket is evaluated: a configuration as `sparsescope evaluate --config` takes it, and the data beside.

    Args:
        ood: SPECs of out-of-distribution sets; default: the data's own, else noise and textures.
        corrupted: SPEC of stored corrupted test images; default: made on the fly.
        probe: SPEC of the images with labelled concepts.
        only: names of the metrics to measure; default: all but those on request.
        skip: names of metrics to leave out.
        seed: key of the evaluation's random numbers, the same for the tickets of all seeds.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    ood: tuple[str, ...] = ()
    corrupted: str | None = None
    probe: str | None = None
    only: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0)

    @property
    def config(self) -> dict[str, Any]:
        """Preset, metric options, margins and verdict."""
        return dict(self.model_extra or {})

    def settings(self) -> Settings:
        """Return what is measured and how it is judged; OptionError for an unknown name or a value out of range."""
        return resolve(config=self.config, metrics=self.only, skip=self.skip, seed=self.seed)


class SweepRecipe(BaseModel):
    """Methods x sparsities x seeds on one data set with one architecture.

    Args:
        name: of the sweep.
        data: SPEC of the data; test images, and training images unless `train` says otherwise.
        train: SPEC of the training images.
        resize: pixels of the shorter side after resizing.
        crop: side of the centre crop in pixels.
        architecture: specification of the dense network.
        small: that of the small dense twin, trained and evaluated beside the tickets; default: none.
        methods: names of `pruning.names()`; scoring functions, `FILE.py:function` or `package.module:function`.
        sparsities: fractions removed; instead of `rounds`.
        rounds: n of the sparsities 1 - 0.8^n.
        seeds: of initialisation and training; each has its own dense network.
        training: `recipe`, a name or a TOML file, and values that replace its own; other `epochs` move milestones.
        rewind: what goes back to the recipe's rewind epoch, of omp and lth: `"weights"` or `"learning_rate"`.
        scope: which weights compete; default: that of the method.
        prune_head: prune the classification head too.
        skip_first: leave the first layer alone.
        score_images: training images that scores look at; default 10 per class.
        options: options of the methods' own, by method as `methods` names it.
        evaluation: how every ticket is evaluated.
        description: one sentence.
        source: where the numbers come from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    data: str
    train: str | None = None
    resize: int | None = Field(default=None, gt=0)
    crop: int | None = Field(default=None, gt=0)
    architecture: str
    small: str | None = None
    methods: tuple[str, ...] = Field(min_length=1)
    sparsities: tuple[float, ...] = ()
    rounds: tuple[int, ...] = ()
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    training: dict[str, Any]
    rewind: Rewind = "weights"
    scope: Literal["global", "layerwise", "erk"] | None = None
    prune_head: bool = False
    skip_first: bool = False
    score_images: int | None = Field(default=None, gt=0)
    options: dict[str, dict[str, Any]] = {}
    evaluation: EvaluationRecipe = EvaluationRecipe()
    description: str = ""
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and "methods" not in values:
            raise ValueError(f'expected methods, such as methods = ["omp"], of {", ".join(names())}, but got none')
        return values

    @field_validator("sparsities")
    @classmethod
    def _in_range(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < value < 1 for value in values):
            raise ValueError("expected sparsities (fractions removed) above 0 and below 1")
        return values

    @field_validator("rounds", "seeds")
    @classmethod
    def _whole(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if any(value < 0 for value in values):
            raise ValueError("expected whole numbers that are not negative")
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "SweepRecipe":
        if bool(self.sparsities) == bool(self.rounds) or 0 in self.rounds:
            raise ValueError("expected either sparsities or rounds (n of 1 - 0.8^n, from 1), and not both")
        grid = [f"{sparsity:.6g}" for sparsity in self.grid]  # as runs are called
        for what, values in {"methods": self.methods, "the grid": grid, "seeds": self.seeds}.items():
            if len(set(values)) < len(values):
                raise ValueError(f"expected {what} without repetitions, but got {list(values)}")
        if "recipe" not in self.training:
            raise ValueError('expected training.recipe, such as "cifar", "imagenet", "digits" or a .toml file')
        recipe = self.training_recipe()
        if recipe.rewind_epoch >= recipe.epochs:
            raise ValueError(
                f"expected training.rewind_epoch below training.epochs, but got {recipe.rewind_epoch} and "
                f"{recipe.epochs}"
            )
        self.evaluation.settings()
        return self

    @property
    def grid(self) -> tuple[float, ...]:
        """The sparsities, rising, without the digits in which 1 - 0.8**3 and 0.488 differ."""
        return tuple(sorted(round(s, 9) for s in self.sparsities or (1 - 0.8**n for n in self.rounds)))

    def training_recipe(self) -> Recipe:
        """Return how networks are trained."""
        changes = {name: value for name, value in self.training.items() if name != "recipe"}
        recipe = load_recipe(self.training["recipe"])
        if isinstance(changes.get("epochs"), int) and changes["epochs"] > 0 and "milestones" not in changes:
            recipe = recipe.scaled(changes["epochs"])
        return recipe.changed(**changes)

    def check_methods(self) -> None:
        """Import the methods' functions and check what is asked of them; a record is read without that.

        Raises:
            OptionError: an unknown method or option, settings that a method cannot have, or methods of one name.
            InputError: a file or module cannot be imported.
        """
        for method, options in self.options.items():
            find(method).check_options(options)
        called: dict[str, str] = {}
        for method in self.methods:
            chosen = find(method)
            chosen.check_options(self.options.get(method, {}))
            for sparsity in self.grid:
                check_request(
                    chosen, sparsity, scope=self.scope, prune_head=self.prune_head, skip_first=self.skip_first
                )
            if (other := called.setdefault(chosen.name.casefold(), method)) != method:
                raise OptionError(f"{other} and {method} are both called {chosen.name}. Rename one of the functions.")

    def joined(self, other: "SweepRecipe") -> "SweepRecipe":
        """Return this recipe with the methods, sparsities, seeds and the small twin of another beside its own."""
        grid = {"rounds": self.rounds, "sparsities": self.sparsities}
        if set(other.grid) - set(self.grid):
            grid = {"rounds": (), "sparsities": tuple(sorted({*self.grid, *other.grid}))}
        both = {
            name: tuple(dict.fromkeys((*getattr(self, name), *getattr(other, name)))) for name in ("methods", "seeds")
        }
        return self.model_copy(update={**grid, **both, "small": self.small or other.small})

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Return the keys, beside those of the grid, in which another recipe's plain values differ from this one's."""
        mine = self.model_dump(mode="json")
        grown = {*_GRID} if self.small is None or other.get("small") is None else {*_GRID} - {"small"}
        return [name for name in mine if name not in grown and mine[name] != other.get(name)]


def sweep_names() -> list[str]:
    """Return the names of the sweeps that come with the package."""
    return toml_names("sparsescope.sweeps")


def load_sweep(source: str | Path, /, **changes: Any) -> SweepRecipe:
    """Return a sweep of the package by name, or of a TOML file by path (`.toml`); its name is by default the file's.

    A file may start from another recipe, `base = "cifar10-resnet20s"` or a path seen from the file's folder: tables
    (`training`, `evaluation`, `options`) are merged, everything else is replaced.

    Args:
        source: one of `sweep_names()`, or a path.
        changes: values that replace the file's; tables are merged.

    Raises:
        OptionError: no such recipe, not TOML, an unknown key or method, a value out of range, or recipes that start
            from each other; the text names it.
        InputError: the file or module of a scoring function cannot be imported.

    Example:
        >>> from sparsescope.sweeps import load_sweep
        >>> recipe = load_sweep("digits-mini", seeds=[0])
        >>> recipe.grid, recipe.seeds
        ((0.488, 0.7902848, 0.914100654), (0,))
    """
    where = f"the recipe {source}"
    recipe = validated(SweepRecipe, {"name": Path(source).stem, **_merged(_read(source), changes)}, where)
    try:
        recipe.check_methods()
    except OptionError as error:
        raise OptionError(f"In {where}: methods: {error}") from error
    return recipe


def _read(source: str | Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the values of a file on top of those of its base."""
    if str(source) in above:
        raise OptionError(f"The recipe {above[0]} starts from itself: {' → '.join((*above, str(source)))}.")
    values = read_toml(source, "sparsescope.sweeps")
    base = values.pop("base", None)
    if base is None:
        return values
    if not isinstance(base, str):
        raise OptionError(f"In the recipe {source}: expected base to be a recipe's name or path, but got {base!r}.")
    found = str(Path(source).parent / base) if base.endswith(".toml") else base
    below = _read(found, (*above, str(source)))
    below.pop("name", None)
    return _merged(below, values)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return values over others: tables key by key, and one grid, `rounds` or `sparsities`, for the other."""
    if above.get("rounds") or above.get("sparsities"):
        below = {name: value for name, value in below.items() if name not in ("rounds", "sparsities")}
    tables = {
        name: _merged(below[name], value)
        for name, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(name), Mapping)
    }
    return {**below, **above, **tables}
