"""Where networks compute, and in which precision they train. Importing this module imports no torch."""

from collections.abc import Callable
from typing import Literal

from sparsescope.errors import OptionError

__all__ = ["AUTO", "DEVICES", "Precision", "device_names", "pick_device"]

Precision = Literal["float32", "bfloat16", "float16"]
"""Type of the forward pass: float32; or mixed precision, where weights stay float32 and float16 scales its losses."""

AUTO = "auto"


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _mps() -> bool:
    import torch

    return torch.backends.mps.is_available()


DEVICES: dict[str, Callable[[], bool]] = {"cuda": _cuda, "mps": _mps, "cpu": lambda: True}
"""Device -> whether this machine has it, in the order in which `auto` prefers them."""


def device_names() -> tuple[str, ...]:
    """Return what can be asked for: `auto` and the names of `DEVICES`."""
    return AUTO, *DEVICES


def pick_device(device: str) -> str:
    """Return the device for `auto`, the first of `DEVICES` that is there, or the one asked for, such as `cuda:1`.

    Raises:
        OptionError: a device that is not there.
    """
    there = [name for name, is_there in DEVICES.items() if is_there()]
    asked = str(device)  # a torch.device says its name
    if asked == AUTO:
        return there[0]
    name, colon, number = asked.partition(":")
    if name not in there or (colon and (name == "cpu" or not number.isdecimal())):
        raise OptionError(f"Expected a device of {', '.join(there)} (or {AUTO}), but got {asked!r}.")
    return asked
