"""What `sparsescope prune` can be asked for: refused before anything is trained, not hours later."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsescope.errors import OptionError
from sparsescope.pruning import CATALOGUE, Method

if TYPE_CHECKING:
    from sparsescope.training import Recipe

__all__ = ["check_choices", "choose_recipe"]


def check_choices(
    method: Method, sparsity: float | None, files: Mapping[str, Path | None], options: Mapping[str, Any]
) -> None:
    """Raise OptionError for choices that do not go together.

    Args:
        method: that of the ticket.
        sparsity: fraction removed; None where it was not given.
        files: option -> file to write.
        options: the others by their names in Python.
    """
    from sparsescope.sweeps.requests import check_request

    if sparsity is None and not method.fixes_sparsity:
        raise OptionError("Expected --sparsity S: the fraction of the weights to remove, such as 0.8.")
    if files["--removed-out"] is not None and not method.structured:
        structured = ", ".join(name for name, known in CATALOGUE.items() if known.structured)
        raise OptionError(
            f"--removed-out goes with {structured}: {method.name} removes single weights, and no layer is smaller."
        )
    for assignment in options["assignments"]:
        if "=" not in assignment:
            raise OptionError(f"Expected --set OPTION=VALUE, such as every=50, but got {assignment!r}.")
    check_request(
        method,
        sparsity,
        scope=options["scope"],
        prune_head=options["prune_head"],
        skip_first=options["skip_first"],
    )


def choose_recipe(
    recipe: str | None, method: Method, data: str, epochs: int | None, rewind_epoch: int | None
) -> tuple[str, "Recipe"]:
    """Return how to train: the recipe asked for, or the usual one of data and method, with other lengths."""
    from sparsescope.datasets import usual_recipe
    from sparsescope.specs import listed
    from sparsescope.training import load_recipe, recipe_names

    name = recipe or method.recipe_for(usual_recipe(data))
    if name is None:
        raise OptionError(f"Expected --recipe for {data}: {listed(recipe_names())}, or a TOML file.")
    chosen = load_recipe(name)
    if epochs is not None:
        chosen = chosen.scaled(epochs)
    return name, chosen if rewind_epoch is None else chosen.changed(rewind_epoch=rewind_epoch)
