"""One iteration: measure everything anew, read it from the cache, report it, and make a mask."""

import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "references"))

from tiny_task import write_task

from sparsescope import evaluate, report
from sparsescope.checkpoints import load_classifier
from sparsescope.pruning import prune

_EXPLANATIONS = {"images": 4, "samples": 40, "superpixels": "grid"}
_OPTIONS = {
    "fidelity": _EXPLANATIONS,
    "stability": _EXPLANATIONS,
    "corruption_error": {"corruptions": ["gaussian_noise", "brightness"], "cells_per_image": 4},
    "composition": {"fraction": 0.02},
}


class Work:
    """Call it with a seed; everything is done in a folder."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder, self._workers = folder, workers
        write_task(folder, images=12)

    def __call__(self, seed: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._evaluate(seed)
            again = self._evaluate(seed)
            assert again.cost.forward_passes == 0, "the cache has not kept everything"
            report(again, self._folder / "report")
            network = load_classifier(self._folder / "dense.pt", arch="digits_cnn_small").module
            prune("omp", network, sparsity=0.8).save(self._folder / "mask.pt")
        shutil.rmtree(self._folder / "cache")

    def _evaluate(self, seed: int) -> Any:
        return evaluate(
            str(self._folder / "dense.pt"),
            [str(self._folder / "sparse.pt")],
            f"npz:{self._folder}/test.npz",
            train=f"npz:{self._folder}/train.npz",
            arch="digits_cnn_small",
            options=_OPTIONS,
            replicates=200,
            seed=seed,
            device="cpu",
            workers=self._workers,
            cache=self._folder / "cache",
        )
