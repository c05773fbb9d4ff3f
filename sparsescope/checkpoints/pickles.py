"""What a pickle would make, told from its operations alone: before anything of it is made."""

import pickletools
from typing import Any, BinaryIO

__all__ = ["check_tuples"]

_DEEPEST, _MOST = 100, 5_000_000
_MARK = (-1, -1)
_PLAIN = (0, 1)
_PUT = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_GET = {"GET", "BINGET", "LONG_BINGET"}
_KEEPS_ITS_FIRST = {"BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"}


def check_tuples(pickled: BinaryIO) -> None:
    """Read one pickle to its end, and refuse tuples inside of each other beyond measure.

    Python computes the hash of a tuple, such as a key of a dictionary, by recursion in C without a bound, and that of a
    shared part as often as it comes: the one ends the process, the other takes for ever.

    Raises:
        RecursionError: such tuples.
        ValueError, IndexError: bytes that are no pickle.
    """
    stack: list[tuple[int, int]] = []  # of every object the depth of its tuples, and how many parts they have
    memo: dict[Any, tuple[int, int]] = {}
    for operation, argument, _ in pickletools.genops(pickled):
        name = operation.name
        if name in _GET:
            stack.append(memo.get(argument, _PLAIN))
        elif name in _PUT:
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name == "MARK":
            stack.append(_MARK)
        else:
            taken = _taken(stack, operation)
            depth = max((part[0] for part in taken), default=0) + name.startswith("TUPLE")
            count = 1 + sum(part[1] for part in taken)
            if depth > _DEEPEST or count > _MOST:
                raise RecursionError("tuples are nested in each other beyond measure")
            made = taken[0] if name in _KEEPS_ITS_FIRST else (depth, count) if taken else _PLAIN
            stack += [made] * len(operation.stack_after)


def _taken(stack: list[tuple[int, int]], operation: Any) -> list[tuple[int, int]]:
    """Take from the stack what an operation takes: objects, and all above the last mark where it says so."""
    above: list[tuple[int, int]] = []
    before = operation.stack_before
    if pickletools.markobject in before:
        place = len(stack) - 1 - stack[::-1].index(_MARK)
        above = stack[place + 1 :]
        del stack[place:]
        before = before[: before.index(pickletools.markobject)]
    first = [stack.pop() for _ in before][::-1]
    return first + above
