"""What `sparsescope prune` can be asked for: refused before anything is trained, not hours later."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.core import ParameterSource

from sparsescope.cli.output import echo
from sparsescope.errors import OptionError
from sparsescope.pruning import CATALOGUE, Method, find

if TYPE_CHECKING:
    from sparsescope.training import Recipe

__all__ = ["check_choices", "choose_recipe", "warn_of_no_effect"]


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
    recipe: str | None, method: Method, data: str, epochs: int | None, rewind_epoch: int | None, *, trains: bool
) -> tuple[str, "Recipe"]:
    """Return how to train: the recipe asked for, or the usual one of data and method, with other lengths.

    Where nothing is trained, any will do.
    """
    from sparsescope.datasets import usual_recipe
    from sparsescope.specs import listed
    from sparsescope.training import Recipe, load_recipe, recipe_names

    name = recipe or method.recipe_for(usual_recipe(data))
    if name is None and not trains:
        return "none", Recipe(epochs=1)
    if name is None:
        raise OptionError(f"Expected --recipe for {data}: {listed(recipe_names())}, or a TOML file.")
    chosen = load_recipe(name)
    if epochs is not None:
        chosen = chosen.scaled(epochs)
    return name, chosen if rewind_epoch is None else chosen.changed(rewind_epoch=rewind_epoch)


_OF_TRAINING = ("epochs", "rewind", "rewind_epoch", "runs", "precision", "workers")


def warn_of_no_effect(context: click.Context) -> None:
    """Say which options of `prune` were given and have no effect; scripts give one set of options to all methods."""
    asked = context.params
    method, untrained = find(asked["method"]), asked["no_train"] or asked["epochs"] == 0
    reason = ""
    useless: tuple[str, ...] = ()
    if untrained and (asked["dense"] is not None or method.start == "initial"):
        reason, useless = "nothing is trained", _OF_TRAINING
    elif untrained:
        reason, useless = "the ticket is not trained, and nothing goes back", ("rewind",)
    elif method.start == "initial":
        reason, useless = (
            f"{method.name} starts from initial weights, and nothing goes back",
            ("rewind", "rewind_epoch"),
        )
    given = [name for name in useless if context.get_parameter_source(name) is not ParameterSource.DEFAULT]
    given_classes = context.get_parameter_source("classes") is not ParameterSource.DEFAULT
    if given_classes and asked["dense"] is None:
        echo("Warning: --classes has no effect: outputs of a network that is trained here are numbered.", err=True)
    if found := [f"--{name.replace('_', '-')}" for name in given if asked[name] != 0 or name != "epochs"]:
        echo(f"Warning: {', '.join(found)} has no effect: {reason}.", err=True)
