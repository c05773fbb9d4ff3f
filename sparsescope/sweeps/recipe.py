"""SweepRecipe: everything that a sweep is made of. The recipes of the package are TOML files in `recipes/`."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sparsescope.errors import OptionError
from sparsescope.evaluation.settings import Settings, resolve
from sparsescope.pruning import find, names
from sparsescope.results import Trained
from sparsescope.sweeps import schedules
from sparsescope.sweeps.requests import check_own_recipe, check_request
from sparsescope.sweeps.workshop import Rewind
from sparsescope.training import Recipe
from sparsescope.userfiles import object_name

__all__ = ["EvaluationRecipe", "SweepRecipe"]

_MOST_ROUNDS = 90  # 1 - 0.8^90 is 0.999999998
_GRID = ("name", "description", "source", "small", "methods", "sparsities", "rounds", "seeds")
_BY_CONTENT = ("data", "train", "architecture", "small", "training")  # their content counts, not how they are called
_IMAGES = ("ood", "corrupted", "probe")  # of `evaluation`, likewise


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
        output: how logits are read from what its networks return, see `Classifier`; default: logits.
        small: that of the small dense twin, trained and evaluated beside the tickets; default: none.
        methods: names of `pruning.names()`; scoring functions, `FILE.py:function` or `package.module:function`.
        sparsities: fractions removed; instead of `rounds`.
        rounds: n of the sparsities 1 - 0.8^n.
        seeds: of initialisation and training; each has its own dense network.
        training: `recipe`, a name or a TOML file, and values that replace its own; other `epochs` move milestones. In
            its table `methods` the same by method, for methods that start from the initial weights; without a `recipe`
            of its own such a table changes the sweep's.
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
    output: str | int | None = None
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
        if any(not 0 <= value < 2**64 for value in values):
            raise ValueError("expected whole numbers that are not negative, below 2**64")
        return values

    @field_validator("rounds")
    @classmethod
    def _leaves_weights(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if any(value > _MOST_ROUNDS for value in values):
            raise ValueError(f"expected rounds of at most {_MOST_ROUNDS}: more leave no weights")
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "SweepRecipe":
        if bool(self.sparsities) == bool(self.rounds) or 0 in self.rounds:
            raise ValueError("expected either sparsities or rounds (n of 1 - 0.8^n, from 1), and not both")
        grid = [f"{sparsity:.6g}" for sparsity in self.grid]  # as runs are called
        for what, values in {"methods": self.methods, "the grid": grid, "seeds": self.seeds}.items():
            if len(set(values)) < len(values):
                raise ValueError(f"expected {what} without repetitions, but got {list(values)}")
        schedules.check(self.training)
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

    @property
    def own_recipes(self) -> dict[str, Recipe]:
        """How tickets are trained by methods that have a recipe of their own, as `methods` names them."""
        return {name: self.training_recipe(name) for name in schedules.own(self.training) if name in self.methods}

    @property
    def without_effect(self) -> list[str]:
        """Say which settings no method reads, one sentence each."""
        methods = [find(method) for method in self.methods]
        said = [
            f"options.{name} has no effect: {name} is not among the methods."
            for name in self.options
            if name not in self.methods
        ]
        said += [
            f"training.methods.{name} has no effect: {name} is not among the methods." for name in self.unused_recipes
        ]
        asked = {
            "rewind": all(method.start == "initial" for method in methods) and "no method rewinds a trained network",
            "score_images": all(method.looks_at != "images" for method in methods) and "no method looks at images",
        }
        said += [
            f"{name} has no effect: {why}." for name, why in asked.items() if why and name in self.model_fields_set
        ]
        return said

    @property
    def unused_recipes(self) -> list[str]:
        """Methods that have a recipe of their own and are not among `methods`."""
        return [name for name in schedules.own(self.training) if name not in self.methods]

    def training_recipe(self, method: str | None = None) -> Recipe:
        """Return how a method's tickets are trained; without a method how everything else is, the dense network too."""
        return schedules.recipe(self.training, method)

    def trained(self) -> dict[str, Trained]:
        """Return by which recipe, and over which epochs of it, each network is trained: `dense`, `small`, methods."""
        shared = Trained(recipe=schedules.name(self.training), epochs=self.training_recipe().epochs)
        found = {"dense": shared} | ({"small": shared} if self.small is not None else {})
        for method in self.methods:
            recipe = self.training_recipe(method)
            first = recipe.rewind_epoch if find(method).start == "trained" else 0
            recipe_name = schedules.name(self.training, method)
            found[object_name(method)] = Trained(recipe=recipe_name, epochs=recipe.epochs, first=first)
        return found

    def check_methods(self) -> None:
        """Import the methods' functions and check what is asked of them; a record is read without that.

        Raises:
            OptionError: an unknown method or option, settings that a method cannot have, or methods of one name.
            InputError: a file or module cannot be imported.
        """
        for method, options in self.options.items():
            find(method).check_options(options)
        for method in schedules.own(self.training):
            check_own_recipe(find(method))
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
        training = schedules.joined(self.training, other.training, self.methods)
        return self.model_copy(update={**grid, **both, "small": self.small or other.small, "training": training})

    def differences(self, other: Mapping[str, Any], *, by_content: bool) -> list[str]:
        """Return the keys, beside those of the grid, in which another recipe's plain values differ from this one's.

        Recipes that methods have of their own are not compared: each ticket's `ticket.json` has the one that made it.

        Args:
            other: the other recipe's plain values.
            by_content: whether to leave out what is compared by its content (`contents`).
        """
        mine, other = self.model_dump(mode="json"), dict(other)
        for values in (mine, other):
            values["training"] = schedules.shared(values.get("training") or {})
            if by_content:
                values |= dict.fromkeys(_BY_CONTENT)
                values["evaluation"] = {**values["evaluation"], **dict.fromkeys(_IMAGES)}
        grown = {*_GRID} if self.small is None or other.get("small") is None else {*_GRID} - {"small"}
        return [name for name in mine if name not in grown and mine[name] != other.get(name)]
