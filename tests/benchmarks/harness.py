"""What benchmarks share: rows of the one table, and how actions are timed beside each other."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch

__all__ = ["Options", "Row", "interleaved", "seconds"]


@dataclass(frozen=True)
class Options:
    """What the command was asked.

    Args:
        device: where networks compute: `cpu` or `cuda`.
        repeats: how often each action is timed.
        data: folder of real data and networks; None: random ones, which take as long.
        preset: whose whole evaluation is timed.
    """

    device: str = "cpu"
    repeats: int = 5
    data: str | None = None
    preset: str = "quick"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: what was measured.
        peer: what it is compared with, in one run on one machine.
        measured: the ratio.
        relation: whether it should be at most or at least the target; None where there is no target.
        target: the ratio wanted.
    """

    what: str
    peer: str
    measured: float
    relation: Literal["<=", ">="] | None = None
    target: float = float("nan")

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.relation is None:
            return None
        return self.measured <= self.target if self.relation == "<=" else self.measured >= self.target

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return what is shown: what, target, peer, measured, met."""
        target = "–" if self.relation is None else f"{self.relation} {self.target:g}"
        met = {True: "yes", False: "no", None: ""}[self.met]
        return self.what, target, self.peer, f"{self.measured:.3g}", met


def seconds(action: Callable[[], object], device: str = "cpu") -> float:
    """Return the seconds of one call: of this process on a CPU, else by the clock when the device is done."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    action()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return clock() - start


def interleaved(actions: Mapping[str, Callable[[], object]], repeats: int, device: str = "cpu") -> dict[str, float]:
    """Return the median seconds of every action, which take turns in each repeat, after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for repeat in range(repeats + 1):
        for name, action in actions.items():
            elapsed = seconds(action, device)
            if repeat:
                times[name].append(elapsed)
    return {name: statistics.median(several) for name, several in times.items()}
