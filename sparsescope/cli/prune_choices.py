"""What `sparsescope prune` can be asked for: refused before anything is trained, not hours later."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsescope.errors import OptionError

__all__ = ["METHODS", "REWINDING", "check_choices"]

METHODS = ("omp", "lth", "random", "snip", "grasp", "synflow", "rigl", "n_m", "channels")
REWINDING = ("omp", "lth", "n_m", "channels")
"""Methods that prune trained weights, and train the ticket from an epoch of the schedule on."""


def check_choices(
    method: str, sparsity: float | None, files: Mapping[str, Path | None], options: Mapping[str, Any]
) -> None:
    """Raise OptionError for choices that do not go together.

    Args:
        method: one of `METHODS`.
        sparsity: fraction removed; None where it was not given.
        files: option -> file to write.
        options: the others by their names in Python.
    """
    if method != "n_m" and sparsity is None:
        raise OptionError("Expected --sparsity S: the fraction of the weights to remove, such as 0.8.")
    if files["--removed-out"] is not None and method != "channels":
        raise OptionError(
            f"--removed-out goes with channels: {method} removes single weights, and no layer is smaller."
        )
    for assignment in options["assignments"]:
        if "=" not in assignment:
            raise OptionError(f"Expected --set OPTION=VALUE, such as every=50, but got {assignment!r}.")
    if method == "channels":
        _check_channels(options)
    else:
        _check_scope(method, sparsity, options["scope"])


def _check_channels(options: Mapping[str, Any]) -> None:
    asked = [f"--{option.replace('_', '-')}" for option in ("scope", "prune_head", "skip_first") if options[option]]
    if asked:
        raise OptionError(f"{', '.join(asked)} cannot go with channels; --set 'skip=[\"LAYER\"]' leaves a layer alone.")


def _check_scope(method: str, sparsity: float | None, scope: str | None) -> None:
    from sparsescope.pruning.masking import check_scope

    pattern = check_scope(scope or ("2:4" if method == "n_m" else "global"), sparsity)
    if method == "n_m" and pattern is None:
        raise OptionError(f"Expected --scope N:M for n_m, such as 2:4, but got {scope!r}.")
    if method in ("lth", "rigl") and pattern is not None:
        raise OptionError(f"{method} changes its mask as it trains, which breaks {scope}: use n_m.")
