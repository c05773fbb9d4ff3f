"""What each process of the test of several processes runs; see test_distributed.py."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sparsescope.benchmark import ArrayImages
from sparsescope.classifier import Classifier
from sparsescope.mask import Mask
from sparsescope.training import Recipe, RunFolder, train

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.05, shift=1, flip=True, rewind_epoch=1)


class Headed(nn.Sequential):
    """A network with a head that nobody reads."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__(*parts)
        self.unread = nn.Linear(64, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        for name, part in self.named_children():
            images = images if name == "unread" else part(images)
        return images


def run(folder: Path, *, normalised: bool, kind: type[nn.Sequential] = nn.Sequential) -> list[str]:
    """Train a tiny network; return what this process was told."""
    rng = np.random.default_rng(0)
    n = 44 if normalised else 42  # the last batch of 8 leaves the third process fewer images than the first, or none
    images = ArrayImages(rng.integers(0, 256, (n, 6, 6, 3), dtype=np.uint8), rng.integers(0, 3, n))
    torch.manual_seed(0)  # the same start in every process, as a user's program would have it
    norm = nn.BatchNorm2d(4) if normalised else nn.Identity()
    module = kind(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    mask = Mask({"0.weight": torch.rand(4, 3, 3, 3) > 0.5})
    told: list[str] = []
    train(
        Classifier(module, mask=mask),
        images,
        RECIPE,
        folder=RunFolder(folder),
        test=images,
        on_epoch=lambda epoch: told.append(f"epoch {epoch.number}"),
        on_progress=lambda progress: told.append(progress.text),
    )
    return told


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    told = run(place / "plain", normalised=False)
    run(place / "normalised", normalised=True)
    run(place / "headed", normalised=True, kind=Headed)
    run(place / "headed-plain", normalised=False, kind=Headed)
    torch.save(told, place / f"told-{torch.distributed.get_rank()}.pt")
    torch.distributed.barrier()  # a process that ends while others still talk to it may be aborted
    torch.distributed.destroy_process_group()
