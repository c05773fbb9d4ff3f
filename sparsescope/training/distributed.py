"""Several processes that train one network together, as torchrun starts them; alone, everything here does nothing."""

import atexit
import os
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

__all__ = ["Ranks", "join"]

_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Ranks:
    """This process's place among those that train together.

    Args:
        rank: from 0; process 0 writes files and tells of progress.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and tells of progress."""
        return self.rank == 0

    def sum(self, values: Tensor) -> list[float]:
        """Return the values (n,) summed over the processes; the same in each."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return [float(value) for value in values]

    def share_buffers(self, module: nn.Module) -> None:
        """Give every process the buffers (BatchNorm statistics) of process 0."""
        if self.size > 1:
            for buffer in module.buffers():
                distributed.broadcast(buffer, 0)

    def parallel(self, module: nn.Module, *, unused: bool = False) -> nn.Module:
        """Return the module, or with several processes one around it that averages gradients over them.

        Args:
            module: on its device.
            unused: whether the loss does not depend on some of its parameters, as on those of a head that is not read.
        """
        if self.size == 1:
            return module
        device = next(module.parameters()).device
        return nn.parallel.DistributedDataParallel(
            module, device_ids=[device] if device.type == "cuda" else None, find_unused_parameters=unused
        )


def join(device: torch.device) -> tuple[Ranks, torch.device]:
    """Return this process's place and its device: under torchrun `cuda` means the GPU of its local rank.

    Joins the processes that torchrun started, by nccl on GPUs and gloo elsewhere; a group that the caller has made
    already is used as it is.
    """
    if not distributed.is_available():
        return Ranks(), device
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    launched = all(name in os.environ for name in _TORCHRUN) and int(os.environ["WORLD_SIZE"]) > 1
    if launched and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(_leave)
    if not distributed.is_initialized():
        return Ranks(), device
    return Ranks(distributed.get_rank(), distributed.get_world_size()), device


def _leave() -> None:
    """End the group that was joined here, unless the user's program has ended it."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
