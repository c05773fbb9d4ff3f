"""Execution: what an evaluation runs on. No number depends on it beyond float rounding."""

import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch

from sparsescope.errors import OptionError
from sparsescope.evaluation.cache import Cache, default_directory
from sparsescope.evaluation.measure import Progress
from sparsescope.values import is_whole

__all__ = ["Execution", "environment", "pick_batch_size"]


@dataclass(frozen=True)
class Execution:
    """How an evaluation is run; changes speed and memory, and no number beyond float rounding.

    Args:
        device: `auto`, `cpu`, `cuda` or `mps`.
        batch_size: images per forward pass, or `auto`.
        workers: worker processes.
        cache: whether (or in which folder) finished parts are kept, so that a rerun resumes.
        progress: called with (work done, work in all, what is measured).
    """

    device: str = "auto"
    batch_size: int | str = "auto"
    workers: int = 1
    cache: bool | str | Path = True
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if not (is_whole(self.workers) and self.workers >= 1):
            raise OptionError(f"Expected a whole number of workers >= 1, but got workers={self.workers!r}.")
        if not isinstance(self.cache, bool | str | Path) or self.cache == "":
            raise OptionError(f"Expected cache to be True, False or a folder, but got cache={self.cache!r}.")
        if self.progress is not None and not callable(self.progress):
            raise OptionError(f"Expected progress to be a function, but got progress={self.progress!r}.")

    def open_cache(self) -> Cache:
        """Return the cache that is asked for."""
        if isinstance(self.cache, bool):
            return Cache(default_directory() if self.cache else None)
        return Cache(Path(self.cache))


def pick_batch_size(batch_size: int | str, shape: tuple[int, int, int], device: str) -> int:
    """Return the batch size for `auto`: a fixed rule, not a timing, so that a rerun gives the same bits.

    On a CPU, 16 images of 32 px, fewer of larger ones (small batches stay in the processor's cache and are fastest);
    on an accelerator 32 times as many.

    Args:
        batch_size: a number, or `"auto"`.
        shape: (C, H, W) of the images.
        device: where the network computes.

    Raises:
        OptionError: something else.
    """
    if is_whole(batch_size) and int(batch_size) > 0:
        return int(batch_size)
    if batch_size != "auto":
        raise OptionError(f"Expected a batch size >= 1 or auto, but got {batch_size!r}.")
    _, height, width = shape
    on_cpu = min(16, max(4, 16 * 32 * 32 // (height * width)))
    return on_cpu if device == "cpu" else 32 * on_cpu


def environment(device: str) -> dict[str, str]:
    """Return the versions and the device behind the numbers, for the report."""
    packages = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "scikit-learn")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "platform": platform.platform(),
        "threads": str(torch.get_num_threads()),
    }
