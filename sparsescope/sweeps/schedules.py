"""The table `training` of a sweep's recipe: how all networks are trained, and methods with a recipe of their own.

[training]                    dense, small twin and every method
recipe = "cifar"
[training.methods.rigl]       this method's tickets; without `recipe`, values here change the table above
recipe = "cifar-rigl"
"""

from collections.abc import Collection, Mapping
from typing import Any

from sparsescope.errors import OptionError
from sparsescope.training import Recipe, load_recipe

__all__ = ["check", "joined", "name", "own", "recipe", "shared"]

_METHODS = "methods"
_SAID = ("recipe", "epochs", "rewind_epoch")  # they stand beside the name


def shared(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values for all networks."""
    return {key: value for key, value in table.items() if key != _METHODS}


def own(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of methods with a recipe of their own."""
    return dict(table.get(_METHODS, {}))


def name(table: Mapping[str, Any], method: str | None = None) -> str:
    """Return the name, or path, of the recipe that trains a method's tickets, and what is changed in it but lengths.

    Without a method it is that of everything else.
    """
    values = own(table).get(method or "", {})
    if "recipe" not in values:
        values = {**shared(table), **values}
    changed = ", ".join(f"{key} = {value}" for key, value in values.items() if key not in _SAID)
    return f"{values['recipe']} ({changed})" if changed else str(values["recipe"])


def recipe(table: Mapping[str, Any], method: str | None = None) -> Recipe:
    """Return how a method's tickets are trained; without a method, how all else is."""
    values = own(table).get(method or "")
    if values is None:
        return _changed(load_recipe(table["recipe"]), shared(table))
    return _changed(load_recipe(values["recipe"]) if "recipe" in values else recipe(table), values)


def check(table: Mapping[str, Any]) -> None:
    """Raise OptionError, or ValueError, for a table that is none, an unknown recipe, or a value out of range."""
    if "recipe" not in table:
        raise ValueError('expected training.recipe, such as "cifar", "imagenet", "digits" or a .toml file')
    methods = table.get(_METHODS, {})
    if not isinstance(methods, Mapping) or not all(isinstance(values, Mapping) for values in methods.values()):
        raise ValueError(f"expected training.methods to hold a table for each method, but got {methods!r}")
    for method in methods:
        try:
            recipe(table, method)
        except OptionError as error:
            raise OptionError(f"training.methods.{method}: {error}") from error


def joined(mine: Mapping[str, Any], other: Mapping[str, Any], methods: Collection[str]) -> dict[str, Any]:
    """Return a table with, of another one, what it has for methods that are not among `methods`."""
    theirs = {method: values for method, values in own(other).items() if method not in methods}
    tables = {**theirs, **own(mine)}
    return {**shared(mine), **({_METHODS: tables} if tables else {})}


def _changed(found: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return a recipe with values replaced; other epochs move its milestones, unless these are given too."""
    changes = {key: value for key, value in values.items() if key != "recipe"}
    if isinstance(changes.get("epochs"), int) and changes["epochs"] > 0 and "milestones" not in changes:
        found = found.scaled(changes["epochs"])
    return found.changed(**changes)
