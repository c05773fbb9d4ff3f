"""Architecture: a network that can be built."""

import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsescope.errors import OptionError
from sparsescope.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Architecture"]


@dataclass(frozen=True)
class Architecture:
    """A network that can be built.

    Args:
        spec: how the user names it.
        function: returns a new, randomly initialised network.
        preprocessing: how its images are normalised by default; None where unknown.
    """

    spec: str
    function: Callable[..., "nn.Module"]
    preprocessing: Preprocessing | None

    def accepts(self, option: str) -> bool:
        """Return whether `function` takes this keyword; one that takes any keyword is given the number of classes."""
        try:
            parameters = inspect.signature(self.function).parameters
        except ValueError:  # some callables written in C have no signature
            return False
        any_keyword = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        return option in parameters or (any_keyword and option == "num_classes")

    def build(self, **options: Any) -> "nn.Module":
        """Return a new network, initialised from torch's global generator as its function does it.

        Args:
            options: keywords of the function, such as `num_classes` and `in_channels`; its defaults hold without them.

        Raises:
            OptionError: the function does not take an option, raises, or returns something else than an `nn.Module`.
        """
        from torch import nn

        for option in options:
            if not self.accepts(option):
                raise OptionError(f"The architecture {self.spec} does not take the option {option!r}.")
        try:
            module = self.function(**options)
        except Exception as error:
            cause = f"{type(error).__name__}: {error}{_line(error, self.function)}"
            raise OptionError(f"The architecture {self.spec} could not be built: {cause}") from error
        if not isinstance(module, nn.Module):
            raise OptionError(f"Expected {self.spec} to return an nn.Module, but got a {type(module).__name__}.")
        return module


def _line(error: Exception, function: Callable[..., Any]) -> str:
    """Return the line of the function's own file where the error arose."""
    home = sys.modules.get(getattr(function, "__module__", ""))
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == getattr(home, "__file__", None)]
    return f" (line {lines[-1]})" if lines else ""
