"""What one layer answers to every image of a probe set."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sparsescope.benchmark import ProbeSet
from sparsescope.classifier import Classifier
from sparsescope.dissection.layers import as_maps, captured
from sparsescope.dissection.packing import Spool
from sparsescope.errors import NotEvaluated, OptionError

__all__ = ["Maps", "Progress", "activations"]

Maps = NDArray[np.float32]

Progress = Callable[[float, float, str], None]
"""Called with (done, in all, of what)."""


def activations(
    classifier: Classifier, probe: ProbeSet, layer: str, *, batch_size: int = 32, progress: Progress | None = None
) -> Maps:
    """Return a layer's activation maps (n, K, h, w), on disk where they are large; one forward pass an image.

    Where the network calls the layer more than once, its last output counts.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        probe: the images.
        layer: name of a module, as in `named_modules`.
        batch_size: images per forward pass.
        progress: told after every batch.

    Raises:
        OptionError: no such layer, the forward pass does not reach it, or its output is no map (see `as_maps`).
        NotEvaluated: an activation is not finite.
    """
    spool, shape, n = Spool(), None, len(probe)
    with captured(classifier, layer) as outputs, torch.no_grad():
        for start in range(0, n, batch_size):
            indices = np.arange(start, min(start + batch_size, n))
            outputs.clear()
            classifier(probe.read(indices))
            if not outputs:
                raise OptionError(f"The forward pass of {classifier.name} does not go through layer {layer!r}.")
            maps = as_maps(outputs[-1], len(indices), layer).float().cpu().numpy()
            if not np.isfinite(maps).all():
                raise NotEvaluated(f"layer {layer} of {classifier.name} gives values that are not finite")
            shape = maps.shape[1:]
            spool.append(maps)
            if progress is not None:
                progress(float(indices[-1] + 1), float(n), "images")
    assert shape is not None
    array: NDArray[Any] = spool.finish(shape, np.float32)
    return array
