"""From what the user hands over — paths, modules, classifiers, specs — to classifiers with unique names and data."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparsescope.benchmark import Benchmark, ImageSet
from sparsescope.checkpoints import load_classifier, stored_data_spec
from sparsescope.classifier import Classifier
from sparsescope.datasets import runs_user_code
from sparsescope.devices import pick_device
from sparsescope.errors import ArtefactError, DataError, InputError, NotFiniteError, OptionError
from sparsescope.mask import refuse_computed_weights
from sparsescope.measurements.predictions import predict

__all__ = [
    "Model",
    "cut_to_task",
    "grey_answers",
    "is_constant",
    "open_models",
    "pick_batch_size",
    "pick_device",
    "raise_together",
    "stored_data",
    "varied_images",
]

SHOWN = 8
"""Test images that show whether a model always gives the same answer."""

Model = str | Path | nn.Module | Classifier


def open_models(
    dense: Model,
    candidates: Sequence[Model],
    *,
    arch: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output: str | int = "logits",
) -> list[Classifier]:
    """Return classifiers, dense first, named uniquely: by file stem, else `dense`, `sparse`.

    Raises:
        ArtefactError: a file that cannot be used (see `checkpoints.load_classifier`), or a mask that is not applied. Of
            several candidates all that cannot be used are named at once.
    """
    parent = _open(dense, "dense", arch, mean, std, output, None)
    models, refused = [parent], []
    for candidate in candidates:
        try:
            models.append(_open(candidate, "sparse", arch, mean, std, output, parent))
        except InputError as error:
            refused.append(error)
    raise_together(refused, len(candidates), "candidates")
    taken: set[str] = set()
    named = []
    for model in models:
        name, count = model.name, 1
        while name in taken:
            count += 1
            name = f"{model.name}-{count}"
        taken.add(name)
        named.append(replace(model, name=name, passes=type(model.passes)()))
    return named


def cut_to_task(classifiers: Sequence[Classifier], benchmark: Benchmark) -> list[Classifier]:
    """Return the classifiers with the outputs of the benchmark's classes; see `Benchmark.outputs`."""
    if benchmark.outputs is None:
        return list(classifiers)
    return [replace(classifier, outputs=benchmark.outputs) for classifier in classifiers]


def _check_mask_applied(classifier: Classifier) -> None:
    """A mask that is not applied would be reported as sparsity while the dense network is measured."""
    parameters = dict(classifier.module.named_parameters())
    for name, kept in (classifier.mask or {}).items():
        left = int(parameters[name].detach().cpu()[~kept].count_nonzero())
        if left:
            raise ArtefactError(
                f"The mask removes {int((~kept).sum())} weights of {name}, but {left} of them are not zero in "
                f"{classifier.name}. Apply it first: mask.apply(module)."
            )


def _open(
    model: Model,
    name: str,
    arch: str | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    output: str | int,
    dense: Classifier | None,
) -> Classifier:
    if isinstance(model, Classifier):
        opened = model if model.name != "model" else replace(model, name=name)
    elif isinstance(model, nn.Module):
        refuse_computed_weights(model)
        opened = Classifier(model, mean or (0.0,), std or (1.0,), output=output, name=name)
    else:
        opened = load_classifier(model, arch=arch, mean=mean, std=std, output=output, dense=dense)
    _check_mask_applied(opened)
    return opened


def raise_together(refused: Sequence[InputError], total: int, what: str) -> None:
    """Raise an error that stands alone as it is, and several as one, of their kind, that lists them; else nothing."""
    if len(refused) == 1:
        raise refused[0]
    if refused:
        listed = "\n- ".join(map(str, refused))
        kinds = {type(error) for error in refused}
        kind = kinds.pop() if len(kinds) == 1 else InputError
        raise kind(f"{len(refused)} of {total} {what} cannot be used:\n- {listed}")


def grey_answers(classifier: Classifier, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the logits (2, K) for the same grey image twice; the classifier must be prepared.

    Raises:
        ArtefactError: weights that are nan, or answers that are not finite.
        DataError: the network cannot take images of this shape (C, H, W).
    """
    broken = [name for name, tensor in classifier.module.state_dict().items() if bool(tensor.isnan().any())]
    if broken:
        more = f" and {len(broken) - 1} more of its tensors hold" if len(broken) > 1 else " holds"
        raise ArtefactError(f"{classifier.name}: {broken[0]}{more} nan. Did its training diverge?")
    try:
        return predict(classifier, torch.full((2, *shape), 0.5), 2)
    except InputError:
        raise
    except Exception as error:  # whatever a foreign network raises on images that are not for it
        cause = str(error).partition("\n")[0] or type(error).__name__
        check = "--arch, and channels and size of the images (--data, --resize, --crop, --size)"
        if classifier.channels not in (None, shape[0]):
            cause = f"it seems to take {classifier.channels} channels, and they have {shape[0]}"
            check = "--arch, or convert the images; only image files (folder:DIR) are read in grey where it is needed"
        raise DataError(
            f"{classifier.name} cannot take images of shape {tuple(shape)} (C, H, W): {cause}. Check {check}."
        ) from error


def varied_images(test: ImageSet) -> Tensor:
    """Return a grey image and some of the test images (n, C, H, W)."""
    some = np.unique(np.linspace(0, len(test) - 1, SHOWN).astype(np.int64))
    return torch.cat([torch.full((1, *test.shape), 0.5), test.read(some)])


def is_constant(classifier: Classifier, images: Tensor) -> bool:
    """Return whether different images (n, C, H, W) get one and the same answer; the classifier must be prepared.

    Softmax does not see what all logits of an image have in common, so that is left out.
    """
    try:
        logits = predict(classifier, images, 2).astype(np.float64)
    except NotFiniteError:  # the measurements say so, each for its own images
        return False
    logits -= logits.mean(axis=1, keepdims=True)
    return bool((np.ptp(logits, axis=0) <= 1e-6 * max(1.0, np.abs(logits).max())).all())


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
    if isinstance(batch_size, int) and batch_size > 0:
        return batch_size
    if batch_size != "auto":
        raise OptionError(f"Expected a batch size >= 1 or auto, but got {batch_size!r}.")
    _, height, width = shape
    on_cpu = min(16, max(4, 16 * 32 * 32 // (height * width)))
    return on_cpu if device == "cpu" else 32 * on_cpu


def stored_data(path: str | Path) -> str | None:
    """Return the data specification that our own checkpoint names; None where the file is another or names none.

    Raises:
        ArtefactError: the file cannot be read, it names code, which is not run unasked, or data of an unknown form.
    """
    spec = stored_data_spec(path)
    if spec is None:
        return None
    try:
        asks_for_code = runs_user_code(spec)
    except OptionError as error:
        raise ArtefactError(f"{path} says that its data is {spec}. {error} Give --data SPEC.") from error
    if asks_for_code:
        raise ArtefactError(
            f"{path} says that its data is {spec}, and code that a file names is not run unasked. If you trust it, "
            f"give --data {spec}."
        )
    return spec
