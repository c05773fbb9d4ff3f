"""Errors that nobody expected, of a metric's or a measurement's own code: each costs one metric of one model."""

import contextlib
from collections.abc import Iterator

from sparsescope.errors import NotEvaluated, SparsescopeError
from sparsescope.results.metric import BROKE
from sparsescope.unexpected import in_one_line

__all__ = ["broke", "costs"]


def broke(error: Exception) -> str:
    """Return the reason why nothing was measured where an error arose that nobody expected, and its place."""
    return f"{BROKE}{error if isinstance(error, SparsescopeError) else in_one_line(error)}"


@contextlib.contextmanager
def costs(name: str, missing: dict[str, str], *, refusing: bool = False) -> Iterator[None]:
    """Let what is raised in the block cost one thing: the reason is added to those of what is missing.

    Args:
        name: of a model, or what else it costs.
        missing: reasons by name.
        refusing: whether errors that the user can put right are raised all the same.
    """
    try:
        yield
    except NotEvaluated as error:
        missing[name] = str(error)
    except Exception as error:
        if refusing and isinstance(error, SparsescopeError):
            raise
        missing[name] = broke(error)
