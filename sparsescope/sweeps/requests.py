"""What a ticket is asked to be: refused before anything is trained, and kept beside it as `ticket.json`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsescope.curves.records import SMALL
from sparsescope.errors import OptionError
from sparsescope.files import read_json
from sparsescope.pruning import CATALOGUE, Method
from sparsescope.pruning.masking import check_scope
from sparsescope.sweeps.workshop import Workshop
from sparsescope.training import Recipe
from sparsescope.userfiles import without_place

__all__ = ["check_made", "check_own_recipe", "check_request", "checked_settings", "settings_file"]

_TAKEN = ("dense", SMALL)  # folders of a workshop
_TEXTS = {"description", "source"}  # of a training recipe: they decide no weight
_LATER = Recipe(epochs=1).model_dump(mode="json", exclude={"epochs", *_TEXTS})
"""What older files do not note of a training recipe is what it was before it could be chosen."""


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


def check_own_recipe(chosen: Method) -> None:
    """Raise OptionError for a training recipe of a method's own where its tickets are the dense network, rewound."""
    if chosen.start == "trained":
        able = ", ".join(name for name, method in CATALOGUE.items() if method.start == "initial")
        raise OptionError(
            f"{chosen.name} cannot have a training recipe of its own: it prunes the trained dense network and rewinds "
            f"that network's training. Methods that start from the initial weights can: {able}."
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
        **_plain(workshop.recipe),
        "seed": workshop.seed,
        "architecture": without_place(workshop.architecture),
        "mean": workshop.mean and list(workshop.mean),
        "std": workshop.std and list(workshop.std),
        **({} if workshop.output is None else {"output": workshop.output}),
        "fingerprint of the data": workshop.images.fingerprint,
        "dense network": None if workshop.parent is None else workshop.dense().origin.sha256,
        **({} if workshop.parent_weights is None else {"weights of the dense network": workshop.parent_weights}),
        "rewind": workshop.rewind,
        "scope": workshop.scope,
        "prune_head": workshop.prune_head,
        "skip_first": workshop.skip_first,
        "score_images": workshop.score_images,
        "options": workshop.options_of(chosen),
    }
    _check_noted(workshop.folder, chosen, name, mine)
    return mine if chosen.code is None else {**mine, "code": chosen.code}


def check_made(folder: Path, chosen: Method, name: str, recipe: Recipe) -> None:
    """Raise OptionError if a ticket was made by other code than the method's of today, or by another training recipe.

    Args:
        folder: of the workshop.
        chosen: the method.
        name: of the training run.
        recipe: that trains the method's tickets.
    """
    _check_noted(folder, chosen, name, _plain(recipe))


def _plain(recipe: Recipe) -> dict[str, Any]:
    """Return the values of a training recipe that decide weights."""
    return recipe.model_dump(mode="json", exclude=_TEXTS)


def _check_noted(folder: Path, chosen: Method, name: str, mine: Mapping[str, Any]) -> None:
    """Raise OptionError if the settings noted in a run's folder are of other code, or differ from these."""
    noted = _noted(settings_file(folder, name))
    if noted is None:
        return
    if noted.get("code") != chosen.code:
        raise OptionError(
            f"{folder / name} holds a ticket of other code: the file of {chosen.name} has changed since. Remove that "
            "folder, or choose another one."
        )
    theirs = {**_LATER, **noted, "architecture": without_place(str(noted.get("architecture", "")))}
    differing = [
        f"{key} is {theirs[key]!r:.40} there and {mine[key]!r:.40} here"
        for key in mine
        if key in theirs and theirs[key] != mine[key]
    ]
    if differing:
        raise OptionError(
            f"{folder / name} holds another ticket: {'; '.join(differing)}. Remove that folder, or choose another one."
        )


def _noted(path: Path) -> dict[str, Any] | None:
    """Return the settings in a file, None where there is none; OptionError if it is damaged."""
    try:
        return dict(read_json(path)) if path.exists() else None
    except (ValueError, TypeError) as error:
        raise OptionError(f"{path} is damaged ({error}). Remove {path.parent}, or choose another folder.") from error
