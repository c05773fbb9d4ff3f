"""The errors that sparsescope raises on purpose.

Everything a user can put right is an `InputError` (a `ValueError`; exit code 2 on the command line) whose text says
what was expected, what came and what to do. `NotEvaluated` is no failure: it is how a metric says why it cannot be
measured.
"""

from collections.abc import Sequence

from typing_extensions import override

from sparsescope.printable import printable


class SparsescopeError(Exception):
    """Base class of every error raised on purpose. Its text holds no control characters, whatever a file is called."""

    @override
    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(SparsescopeError, ValueError):
    """An input or an option that the user can put right."""


class ArtefactError(InputError):
    """A model, checkpoint or mask file that cannot be used."""


class NotFiniteError(ArtefactError):
    """A network that returns nan or infinity."""


class DataError(InputError):
    """A data set, image or label that cannot be used."""


class OptionError(InputError):
    """An option with an unknown name or a value outside its range."""


class DefinitionError(InputError, TypeError):
    """A class, such as a metric of one's own, that does not say what it must."""


class NotEvaluated(SparsescopeError):
    """A metric cannot be measured here; the message is the reason shown to the user."""


class SparsescopeWarning(UserWarning):
    """Something the user should know about an input that can nevertheless be used."""

    @override
    def __str__(self) -> str:
        return printable(super().__str__())


def raise_together(refused: Sequence[InputError], total: int, what: str) -> None:
    """Raise an error that stands alone as it is, and several as one, of their kind, that lists them; else nothing."""
    if len(refused) == 1:
        raise refused[0]
    if refused:
        listed = "\n- ".join(map(str, refused))
        kinds = {type(error) for error in refused}
        kind = kinds.pop() if len(kinds) == 1 else InputError
        raise kind(f"{len(refused)} of {total} {what} cannot be used:\n- {listed}")
