"""Recipe: everything of a training run that a paper states. The recipes of the package are TOML files in `recipes/`."""

from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sparsescope import files
from sparsescope.errors import OptionError

__all__ = ["Recipe", "load_recipe", "read_toml", "recipe_names", "toml_names", "validated"]

Model = TypeVar("Model", bound=BaseModel)


class Recipe(BaseModel):
    """How to train: stochastic gradient descent, its schedule and the augmentation.

    Args:
        epochs: passes over the training images.
        learning_rate: peak of the schedule.
        schedule: after the warm-up, `"step"`: times `decay` at every milestone; `"cosine"`: down to 0 at the end.
        milestones: epochs, counted from 0, at whose start the learning rate falls; only for `"step"`.
        decay: factor at a milestone.
        warmup_epochs: epochs over which the learning rate rises linearly, step by step, to its peak; milestones count
            from the start of training.
        batch_size: images per step, of all processes together; the last batch of an epoch may be smaller.
        momentum: of SGD.
        nesterov: whether the momentum is Nesterov's.
        weight_decay: L2 penalty on all parameters.
        label_smoothing: share of the target spread evenly over all classes (Szegedy et al. 2016); 0: none. The history
            has the loss without it for test images.
        shift: images are moved by up to this many whole pixels each way: padding and a random crop.
        shift_fill: what comes into the picture: `"zeros"` (black), or the `"edge"` repeated.
        flip: whether every second image is mirrored, left to right.
        resized_crop: whether a random part of the image, 8 to 100 % of its area and 3/4 to 4/3 in shape, is resized to
            the whole size before that; for large photographs (Szegedy et al. 2015).
        rewind_epoch: epoch after which the weights are kept for rewinding, beside the initial ones, if it comes; 0 for
            these alone.
        description: one sentence.
        source: where the numbers come from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(gt=0)
    learning_rate: float = Field(default=0.1, gt=0)
    schedule: Literal["step", "cosine"] = "cosine"
    milestones: tuple[int, ...] = ()
    decay: float = Field(default=0.1, gt=0, le=1)
    warmup_epochs: float = Field(default=1.0, ge=0)
    batch_size: int = Field(default=64, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(default=5e-4, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    shift: int = Field(default=2, ge=0)
    shift_fill: Literal["zeros", "edge"] = "edge"
    flip: bool = False
    resized_crop: bool = False
    rewind_epoch: int = Field(default=0, ge=0)
    description: str = ""
    source: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "Recipe":
        if list(self.milestones) != sorted(set(self.milestones)) or any(epoch < 1 for epoch in self.milestones):
            raise ValueError(f"expected rising milestones from 1, but got {list(self.milestones)}")
        if self.milestones and self.schedule != "step":
            raise ValueError('milestones belong to schedule = "step"')
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def identity(self) -> dict[str, Any]:
        """Return what decides a run's numbers, JSON-able; what older runs did not have is left out at its default."""
        left_out = {"description", "source"} | ({"label_smoothing"} if self.label_smoothing == 0 else set())
        return self.model_dump(mode="json", exclude=left_out)

    def changed(self, /, **changes: Any) -> "Recipe":
        """Return a copy with some values changed, checked like any other; OptionError if one is out of range."""
        return validated(Recipe, self.model_dump() | changes, "the changed recipe")

    def scaled(self, epochs: int) -> "Recipe":
        """Return the recipe at another length: warm-up and rewinding stay, milestones move in proportion."""
        moved = {max(1, round(milestone * epochs / self.epochs)) for milestone in self.milestones}
        return self.changed(epochs=epochs, milestones=tuple(sorted(moved)))


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return toml_names("sparsescope.training")


def load_recipe(source: str | Path, /, **changes: Any) -> Recipe:
    """Return a recipe of the package by name, or of a TOML file by path (`.toml`).

    Args:
        source: one of `recipe_names()`, or a path.
        changes: values that replace the file's.

    Raises:
        OptionError: no such recipe, not TOML, an unknown key, or a value out of range; the text names it.

    Example:
        >>> from sparsescope.training import load_recipe
        >>> recipe = load_recipe("cifar", epochs=10, milestones=[5])
        >>> recipe.epochs, recipe.schedule
        (10, 'step')
    """
    return validated(Recipe, read_toml(source, "sparsescope.training") | changes, f"the recipe {source}")


def toml_names(package: str) -> list[str]:
    """Return the names of the TOML files in the folder `recipes` of a package."""
    folder = resources.files(package) / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_toml(source: str | Path, package: str) -> dict[str, Any]:
    """Return the values of a recipe of the package by name, or of a TOML file by path; OptionError if unreadable."""
    if str(source).endswith(".toml"):
        try:
            return files.read_toml(source)
        except OSError as error:
            raise OptionError(f"Cannot read the recipe {source}: {error.strerror or error}.") from error
        except ValueError as error:
            raise OptionError(f"The recipe {source} is not TOML: {error}.") from error
    if str(source) not in toml_names(package):
        raise OptionError(
            f"Expected a recipe of {', '.join(toml_names(package))}, or a .toml file, but got {str(source)!r}."
        )
    return files.parse_toml((resources.files(package) / "recipes" / f"{source}.toml").read_text(encoding="utf-8"))


def validated(model: type[Model], values: dict[str, Any], where: str) -> Model:
    """Return the values as a model; OptionError, naming the first one that does not fit."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        known = ""
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            known = f" Known are {', '.join(model.model_fields)}."
        got = f" (got {first['input']!r})" if place and first["type"] != "missing" else ""
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise OptionError(f"In {where}: {place + ': ' if place else ''}{message}{got}.{known}") from error
