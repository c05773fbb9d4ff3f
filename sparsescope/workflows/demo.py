"""The demonstration's two models: a small network trained on the embedded digits, and its pruned, fine-tuned copy."""

import copy
from collections.abc import Callable
from pathlib import Path

import torch

from sparsescope.architectures import resolve
from sparsescope.checkpoints import save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.datasets import open_benchmark
from sparsescope.pruning import prune
from sparsescope.training import Epoch, Recipe, load_recipe, train

__all__ = ["make_models"]

ARCHITECTURE = "digits_cnn"
FINE_TUNING = Recipe(epochs=6, learning_rate=0.02, nesterov=True)


def make_models(
    directory: Path, sparsity: float, seed: int, progress: Callable[[float, float, str], None] | None = None
) -> tuple[Path, Path]:
    """Train a dense network on digits, prune it by magnitude, fine-tune it; return the paths dense.pt and sparse.pt.

    Args:
        directory: where the two checkpoints go; it must exist.
        sparsity: fraction of the prunable weights removed.
        seed: key of initialisation, order and augmentation.
        progress: told after every epoch.
    """
    images = open_benchmark("digits").train
    assert images is not None
    architecture, training = resolve(ARCHITECTURE), load_recipe("digits")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = architecture.build(num_classes=10, in_channels=1)
    preprocessing = architecture.preprocessing
    assert preprocessing is not None
    total = training.epochs + FINE_TUNING.epochs

    def teller(offset: int, what: str) -> Callable[[Epoch], None] | None:
        if progress is None:
            return None
        return lambda epoch: progress(offset + epoch.number, total, f"{what}, accuracy {epoch.accuracy:.1%}")

    dense = Classifier(module, preprocessing.mean, preprocessing.std, name="dense")
    history = train(dense, images, training, seed=seed, on_epoch=teller(0, "Training"))
    pruned = copy.deepcopy(module)
    mask = prune("omp", pruned, sparsity=sparsity)
    mask.apply(pruned)
    sparse = Classifier(pruned, preprocessing.mean, preprocessing.std, mask=mask, name="sparse")
    tuning = train(sparse, images, FINE_TUNING, seed=seed + 1, on_epoch=teller(training.epochs, "Fine-tuning"))
    paths = []
    for classifier, epochs in ((dense, history), (sparse, tuning)):
        path = directory / f"{classifier.name}.pt"
        save_checkpoint(
            path,
            classifier,
            architecture=ARCHITECTURE,
            task={"data": "digits", "classes": [str(digit) for digit in range(10)]},
            history=[{"epoch": e.number, "loss": e.loss, "accuracy": e.accuracy} for e in epochs],
        )
        paths.append(path)
    return paths[0], paths[1]
