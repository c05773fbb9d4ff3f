"""Method: everything that others need to know of a pruning method, read without importing torch."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Literal

from sparsescope.errors import OptionError

__all__ = ["Method"]


@dataclass(frozen=True)
class Method:
    """A pruning method: what it is, and what the command line, sweeps and documentation derive from that.

    Args:
        name: what commands, recipes, folders and curves call it.
        function: the function, or `"module:function"`, which is imported when it is first used. It is a scoring
            function (see `prune`); of a structured method it maps (module, fraction) to a Mask; of one that trains in
            rounds it has the signature of `lth`; of one that trains while it prunes, that of `RigL`.
        help: one sentence.
        start: the dense network's weights that it prunes, `"trained"` or `"initial"`.
        looks_at: what of the training data it needs: `"nothing"`, `"shapes"` (the shape of an image) or `"images"`,
            the default, which is right for all and costs reading some.
        trains: when its ticket is trained: `"afterwards"`, once the mask is there; `"in rounds"`, with a sparser mask
            each; or `"while it prunes"`, as the mask moves.
        scope: which weights compete by default, see `make_mask`; N:M fixes the sparsity.
        steps: how often scores are computed on the way to the sparsity, by default.
        structured: whether it removes whole channels.
        shared: keyword arguments that are no options of its own: they are asked for all methods alike.
        check: `"module:function"` that raises OptionError if one of the options it takes is out of range.
        recipes: training recipes of its own, by the one that is usual for the data, such as `cifar`.
        code: SHA-256 of the files of a user's function, else None: part of a ticket's identity.
    """

    name: str
    function: str | Callable[..., Any]
    help: str
    start: Literal["trained", "initial"] = "trained"
    looks_at: Literal["nothing", "shapes", "images"] = "images"
    trains: Literal["afterwards", "in rounds", "while it prunes"] = "afterwards"
    scope: str = "global"
    steps: int = 1
    structured: bool = False
    shared: tuple[str, ...] = ("scope", "prune_head", "skip_first")
    check: str | None = None
    recipes: Mapping[str, str] = field(default_factory=dict, hash=False)
    code: str | None = None

    @property
    def fixes_sparsity(self) -> bool:
        """Whether a pattern N:M says how many weights go, so that no sparsity is needed."""
        return ":" in self.scope

    def recipe_for(self, usual: str | None) -> str | None:
        """Return the training recipe for the method on data whose usual recipe this is, if that has one."""
        return None if usual is None else self.recipes.get(usual, usual)

    def load(self) -> Callable[..., Any]:
        """Return the function, imported now if need be."""
        return _loaded(self.function) if isinstance(self.function, str) else self.function

    @property
    def options(self) -> tuple[str, ...]:
        """Names of its own options: the keyword-only arguments that are not `shared`."""
        found = inspect.signature(self.load()).parameters.values()
        return tuple(each.name for each in found if each.kind is each.KEYWORD_ONLY and each.name not in self.shared)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise OptionError for an option that it lacks or must be given, or, by `check`, a value out of range."""
        arguments = inspect.signature(self.load()).parameters.values()
        known = self.options
        said = f"Its own options: {', '.join(known)}." if known else "It has no options of its own."
        for option in options:
            if option not in known and not any(each.kind is each.VAR_KEYWORD for each in arguments):
                close = get_close_matches(option, known, n=1)
                hint = f" Did you mean {close[0]}?" if close else ""
                raise OptionError(f"Method {self.name} has no option {option!r}.{hint} {said}")
        needed = [each.name for each in arguments if each.kind is each.KEYWORD_ONLY and each.default is each.empty]
        if missing := [option for option in needed if option not in options]:
            raise OptionError(f"Method {self.name} needs the option {missing[0]!r}. {said}")
        if self.check is not None:
            check = _loaded(self.check)
            checked = inspect.signature(check).parameters
            check(**{option: value for option, value in options.items() if option in checked})


def _loaded(place: str) -> Callable[..., Any]:
    module, _, attribute = place.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function
