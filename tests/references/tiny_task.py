"""A tiny task on disk: 1 x 12 x 12 images of three easy classes as npz files, and a dense and a sparse network."""

from pathlib import Path

import numpy as np
import torch

from sparsescope.architectures.digits_cnn import digits_cnn_small
from sparsescope.pruning import prune


def write_images(path: Path, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = rng.integers(0, 120, (n, 12, 12), dtype=np.uint8)
    for row, label in enumerate(labels):
        images[row, 4 * label : 4 * label + 4] += 110
    np.savez(path, images=images, labels=labels)


def write_task(folder: Path, images: int = 40) -> None:
    """Write `test.npz`, `train.npz`, `dense.pt` and `sparse.pt`, the same in every folder."""
    write_images(folder / "test.npz", images, 1)
    write_images(folder / "train.npz", images, 2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = digits_cnn_small(num_classes=3)
    torch.save(network.state_dict(), folder / "dense.pt")
    prune("omp", network, sparsity=0.5).apply(network)
    torch.save(network.state_dict(), folder / "sparse.pt")
