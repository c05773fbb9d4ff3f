"""Memory that is freed and asked for again. Importing this module imports no torch."""

import ctypes
import functools
import os
import platform

__all__ = ["KEEP_MEMORY", "keep_freed_memory"]

KEEP_MEMORY = "SPARSESCOPE_KEEP_MEMORY"
"""Environment variable; 0 leaves it to the C library when it hands freed memory back."""

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of <malloc.h>
_KEPT = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 512 << 20, _TOP_PAD: 32 << 20}
"""Parameter -> bytes: blocks of up to 32 MiB (the most that glibc takes) come from the heap, which keeps 512 MiB."""


@functools.cache
def keep_freed_memory() -> bool:
    """Let the C library keep what one batch frees for the next one; return whether it does, from now on.

    glibc hands the maps of every layer back to the system when they are freed, and the next batch faults each page in
    again: up to half of the time of a forward pass. Keeping them costs up to 512 MiB a process, and no number changes.
    Elsewhere than on Linux with glibc, and where `SPARSESCOPE_KEEP_MEMORY=0` is set, nothing happens.
    """
    if os.environ.get(KEEP_MEMORY) == "0" or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    taken = [bool(mallopt(parameter, value)) for parameter, value in _KEPT.items()]
    return all(taken)
