"""What a ticket is asked to be: refused before anything is trained, and kept beside it as `ticket.json`."""

import json
from pathlib import Path
from typing import Any

from sparsescope.curves.records import SMALL
from sparsescope.errors import OptionError
from sparsescope.pruning import Method
from sparsescope.pruning.masking import check_scope
from sparsescope.sweeps.workshop import Workshop

__all__ = ["check_code", "check_request", "checked_settings", "settings_file"]

_TAKEN = ("dense", SMALL)  # folders of a workshop


def check_request(
    chosen: Method, sparsity: float | None, *, scope: str | None, prune_head: bool, skip_first: bool
) -> None:
    """Raise OptionError for settings that a method cannot have.

    Args:
        chosen: the method.
        sparsity: fraction removed; None where it was not asked for.
        scope: which weights compete; None for that of the method.
        prune_head: prune the classification head too.
        skip_first: leave the first layer alone.
    """
    name = chosen.name
    if name.casefold() in _TAKEN:
        raise OptionError(f"A method cannot be called {name}, as that is the name of another network's folder.")
    if sparsity is None and not chosen.fixes_sparsity:
        raise OptionError(f"Expected a sparsity for {name}: the fraction removed.")
    if chosen.structured:
        asked = {"scope": scope is not None, "prune_head": prune_head, "skip_first": skip_first}
        if found := [setting for setting, is_asked in asked.items() if is_asked]:
            own = f" Its own options: {', '.join(chosen.options)}." if chosen.options else ""
            raise OptionError(f"{', '.join(found)} cannot go with {name}, which removes whole channels.{own}")
        return
    pattern = check_scope(scope or chosen.scope, sparsity)
    if chosen.fixes_sparsity and pattern is None:
        raise OptionError(f"Expected a scope N:M for {name}, such as {chosen.scope}, but got {scope!r}.")
    if chosen.trains != "afterwards" and pattern is not None:
        raise OptionError(
            f"{name} changes its mask as it trains and cannot preserve a {scope} pattern. Choose another scope."
        )


def settings_file(folder: Path, name: str) -> Path:
    """Return where the settings of a training run are noted."""
    return folder / name / "ticket.json"


def checked_settings(workshop: Workshop, chosen: Method, name: str) -> dict[str, Any]:
    """Return what decides a ticket's weights; OptionError if one that was made otherwise is in its folder.

    Args:
        workshop: everything that the tickets of one seed share.
        chosen: the method.
        name: of the training run.
    """
    mine: dict[str, Any] = {
        **workshop.recipe.model_dump(mode="json", exclude={"description", "source"}),
        "seed": workshop.seed,
        "architecture": workshop.architecture,
        "mean": workshop.mean and list(workshop.mean),
        "std": workshop.std and list(workshop.std),
        "fingerprint of the data": workshop.images.fingerprint,
        "dense network": None if workshop.parent is None else workshop.dense().origin.sha256,
        "rewind": workshop.rewind,
        "scope": workshop.scope,
        "prune_head": workshop.prune_head,
        "skip_first": workshop.skip_first,
        "score_images": workshop.score_images,
        "options": workshop.options_of(chosen),
    }
    check_code(workshop.folder, chosen, name)
    path = settings_file(workshop.folder, name)
    theirs = _noted(path) or mine
    differing = [
        f"{key} is {theirs[key]!r:.40} there and {mine[key]!r:.40} here"
        for key in mine
        if key in theirs and theirs[key] != mine[key]
    ]
    if differing:
        raise OptionError(f"{path.parent} holds another ticket: {'; '.join(differing)}. Choose another folder.")
    return mine if chosen.code is None else {**mine, "code": chosen.code}


def check_code(folder: Path, chosen: Method, name: str) -> None:
    """Raise OptionError if the ticket in a run's folder was made by other code than the method's of today.

    Args:
        folder: of the workshop.
        chosen: the method.
        name: of the training run.
    """
    noted = _noted(settings_file(folder, name))
    if noted is not None and noted.get("code") != chosen.code:
        raise OptionError(
            f"{folder / name} holds a ticket of other code: the file of {chosen.name} has changed since. Remove that "
            "folder, or choose another one."
        )


def _noted(path: Path) -> dict[str, Any] | None:
    """Return the settings in a file, None where there is none; OptionError if it is damaged."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
    except (ValueError, TypeError) as error:
        raise OptionError(f"{path} is damaged ({error}). Remove {path.parent}, or choose another folder.") from error
