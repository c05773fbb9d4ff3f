"""What Ctrl-C leaves: each long command says what of its work is kept."""

import contextlib
from collections.abc import Iterator

__all__ = ["kept"]


@contextlib.contextmanager
def kept(what: str) -> Iterator[None]:
    """Say what is kept where the block, or the command that this decorates, is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(what) from None
