"""Recipe: everything of a training run that a paper states. The recipes of the package are TOML files in `recipes/`."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sparsescope.errors import OptionError

__all__ = ["Recipe", "load_recipe", "recipe_names"]


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

    def changed(self, **changes: Any) -> "Recipe":
        """Return a copy with some values changed, checked like any other; OptionError if one is out of range."""
        return _validated(self.model_dump() | changes, "the changed recipe")


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    folder = resources.files("sparsescope.training") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(source: str | Path, **changes: Any) -> Recipe:
    """Return a recipe of the package by name, or of a TOML file by path (`.toml`).

    Args:
        source: one of `recipe_names()`, or a path.
        changes: values that replace the file's.

    Raises:
        OptionError: no such recipe, not TOML, an unknown key, or a value out of range; the text names it.
    """
    if str(source).endswith(".toml"):
        path = Path(source)
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"Cannot read the recipe {path}: {error}.") from error
    elif str(source) in recipe_names():
        content = (resources.files("sparsescope.training") / "recipes" / f"{source}.toml").read_text(encoding="utf-8")
    else:
        raise OptionError(
            f"Expected a recipe of {', '.join(recipe_names())}, or a .toml file, but got {str(source)!r}."
        )
    try:
        values = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"The recipe {source} is not TOML: {error}.") from error
    return _validated(values | changes, f"the recipe {source}")


def _validated(values: dict[str, Any], where: str) -> Recipe:
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        known = f" Known are {', '.join(Recipe.model_fields)}." if first["type"] == "extra_forbidden" else ""
        got = f" (got {first['input']!r})" if place and first["type"] != "missing" else ""
        raise OptionError(f"In {where}: {place + ': ' if place else ''}{first['msg']}{got}.{known}") from error
