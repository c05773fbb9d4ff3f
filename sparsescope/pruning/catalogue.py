"""The catalogue of pruning methods: the only list of them, read without importing torch."""

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sparsescope.errors import OptionError
from sparsescope.pruning.method import Method
from sparsescope.pruning.own import described, source_digest
from sparsescope.userfiles import is_object_spec, load_object, object_name

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["CATALOGUE", "find", "help_lines", "names"]

CATALOGUE: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "omp",
            "sparsescope.pruning.omp:magnitude",
            "Remove the smallest weights of the trained network at once.",
            looks_at="nothing",
        ),
        Method(
            "lth",
            "sparsescope.pruning.iterative:lth",
            "Remove 20 % of the remaining weights per round, rewind, train again.",
            looks_at="nothing",
            trains="in rounds",
            shared=("scope", "prune_head", "skip_first", "rewind", "epoch", "rate", "resume"),
        ),
        Method(
            "random",
            "sparsescope.pruning.random_scores:random_scores",
            "Remove weights at random, before training.",
            looks_at="nothing",
            start="initial",
        ),
        Method(
            "snip",
            "sparsescope.pruning.snip:snip",
            "Remove the weights the loss depends on least, before training.",
            start="initial",
            looks_at="images",
        ),
        Method(
            "grasp",
            "sparsescope.pruning.grasp:grasp",
            "Remove the weights the gradient flow needs least, before training.",
            start="initial",
            looks_at="images",
        ),
        Method(
            "synflow",
            "sparsescope.pruning.synflow:synflow",
            "Remove the weights with the least synaptic flow, before training.",
            start="initial",
            looks_at="shapes",
            steps=100,
        ),
        Method(
            "rigl",
            "sparsescope.pruning.rigl:RigL",
            "Drop small weights and grow others throughout training.",
            looks_at="nothing",
            start="initial",
            trains="while it prunes",
            scope="erk",
            check="sparsescope.pruning.rigl:check_rigl",
            recipes={"cifar": "cifar-rigl", "imagenet": "imagenet-rigl"},
        ),
        Method(
            "n_m",
            "sparsescope.pruning.omp:magnitude",
            "Remove the smallest 2 of every 4 input weights, or as --scope says.",
            looks_at="nothing",
            scope="2:4",
        ),
        Method(
            "channels",
            "sparsescope.pruning.channels:channel_mask",
            "Remove channels with small filters from the trained network.",
            looks_at="nothing",
            scope="layerwise",
            structured=True,
        ),
    )
}
"""Name -> method, in the order of help texts; a new scoring method is one file and one entry here."""

ENTRY_POINTS = "sparsescope.pruning_methods"


def names() -> list[str]:
    """Return the names of all methods: the built-in ones in the catalogue's order, then other packages' by name."""
    return [*CATALOGUE, *sorted(set(_entry_points()) - set(CATALOGUE))]


def help_lines() -> dict[str, str]:
    """Return a sentence on every method by name; for another package's, which is not imported, where it is."""
    points = _entry_points()
    return {name: CATALOGUE[name].help if name in CATALOGUE else f"See {points[name].value}." for name in names()}


def find(method: str | Method | Callable[..., Any]) -> Method:
    """Return the record of a method; a built-in one goes before another package's of the same name.

    Args:
        method: a name; `FILE.py:function` or `package.module:function`, which is imported; a scoring function; or a
            record, which is returned.

    Raises:
        OptionError: there is no such method (the text has the close ones, and all), or its function is no scoring
            function, or is called as a built-in method is.
        InputError: the file or module cannot be imported, or does not have the function.
    """
    if isinstance(method, Method):
        return method
    if not isinstance(method, str):
        return described(method)
    if method in CATALOGUE:
        return CATALOGUE[method]
    points = _entry_points()
    if method in points:
        point = points[method]
        found = described(point.load(), name=point.name)
        return replace(found, code=source_digest(point.value, found.load()))
    if is_object_spec(method):
        found = described(load_object(method, of_network=False), name=object_name(method))
        if found.name in CATALOGUE:
            raise OptionError(f"{method} has the name of a built-in method, {found.name}. Rename the function.")
        return replace(found, code=source_digest(method, found.load()))
    close = get_close_matches(str(method).lower(), names(), n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise OptionError(
        f"There is no pruning method {method!r}.{hint} Methods: {', '.join(names())}; or name a scoring function, "
        "FILE.py:function or package.module:function."
    )


def _entry_points() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}
