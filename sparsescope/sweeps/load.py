"""Sweep recipes by name, from TOML files, and on top of each other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsescope.errors import OptionError
from sparsescope.sweeps.recipe import SweepRecipe
from sparsescope.training.recipe import read_toml, toml_names, validated

__all__ = ["load_sweep", "sweep_names"]


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
