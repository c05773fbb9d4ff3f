"""From a path to a Classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparsescope.architectures import Preprocessing
from sparsescope.checkpoints.layout import Artefact, open_artefact
from sparsescope.checkpoints.network import Network, copied, find_network, fits
from sparsescope.checkpoints.values import conversion_warnings, narrow_warnings, sparsity_warnings, value_problems
from sparsescope.classifier import Classifier, Origin
from sparsescope.errors import ArtefactError, OptionError
from sparsescope.values import per_channel

__all__ = ["StoredTask", "load_classifier", "normalisation", "stored_size", "stored_task"]


def load_classifier(
    path: str | Path,
    *,
    arch: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output: str | int | None = None,
    dense: Classifier | str | Path | None = None,
    name: str | None = None,
) -> Classifier:
    """Return the classifier that a file holds, on the CPU, in float32.

    For how the architecture is found see `find_network`. Normalisation is `mean` and `std`; else our own checkpoint's;
    else that of the dense network, where the weights have its names and shapes; else the architecture's. A warning says
    so where it is neither asked for nor stored.

    Args:
        path: weights (with or without a mask), or a mask, which is applied to the weights of `dense`.
        arch: architecture specification.
        mean: per-channel mean, in [0, 1] units; goes with `std`.
        std: per-channel standard deviation, > 0.
        output: what the network returns (see `Classifier`); None means as for `dense`, else logits.
        dense: the dense network, which is not changed; with it, the file is a candidate and should be sparse.
        name: how results call it; the file's stem by default.

    Raises:
        ArtefactError: the file cannot be used; the text names the tensors and shapes, and what to do.
        OptionError: the architecture or the normalisation asked for cannot be used.

    Example:
        >>> from sparsescope import Classifier, load_classifier, prune, save_checkpoint
        >>> from sparsescope.architectures.digits_cnn import digits_cnn
        >>> network = digits_cnn()
        >>> save_checkpoint("dense.pt", Classifier(network), architecture="digits_cnn")
        >>> prune("omp", network, sparsity=0.8).save("mask.safetensors")
        >>> sparse = load_classifier("mask.safetensors", dense="dense.pt")
        >>> round(sparse.sparsity.prunable, 3)
        0.8
    """
    if (mean is None) != (std is None):
        raise OptionError("Expected --mean and --std together, but got only one of them.")
    if isinstance(dense, str | Path):
        dense = load_classifier(dense, arch=arch, mean=mean, std=std, output=output)
    artefact = open_artefact(path)
    if artefact.kind == "mask":
        network = _masked(artefact, dense)
    else:
        network = find_network(artefact, arch, dense)
        _fill(network, artefact)
    preprocessing, noticed = normalisation(artefact, network, dense)
    if mean is not None and std is not None:
        preprocessing, noticed = Preprocessing(per_channel(mean), per_channel(std)), ()
    classifier = Classifier(
        network.module,
        preprocessing.mean,
        preprocessing.std,
        mask=artefact.mask,
        output=output if output is not None else (dense.output if dense is not None else "logits"),
        name=name or artefact.path.stem,
        origin=Origin(str(artefact.path), artefact.sha256, network.spec),
    )
    about_values = (*conversion_warnings(artefact.tensors), *narrow_warnings(network.narrowed, network.spec))
    found = classifier.warnings
    classifier.warnings = (*artefact.warnings, *found, *about_values, *noticed, *sparsity_warnings(classifier, dense))
    return classifier


@dataclass(frozen=True)
class StoredTask:
    """What our own checkpoint says of its data; None for what it does not say.

    Args:
        data: data specification. It may name code: `evaluation.task.stored_data` refuses to run it.
        resize: pixels of the shorter side to which its images were resized.
        crop: side of the centre crop, pixels.
    """

    data: str | None = None
    resize: int | None = None
    crop: int | None = None


def stored_task(path: str | Path) -> StoredTask:
    """Return what our own checkpoint says of its data; nothing where the file is another.

    Raises:
        ArtefactError: the file cannot be read, or a size in it is none.
    """
    task = open_artefact(path).details.task
    sizes = {name: task[name] for name in ("resize", "crop") if task.get(name) is not None}
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ArtefactError(f"{path}: expected the task's {name} to be a number of pixels, but got {size!r}.")
    data = task.get("data")
    return StoredTask(None if data is None else str(data), **sizes)


def stored_size(path: str | Path) -> int | None:
    """Return the input size in pixels that our own checkpoint states; None where the file is another or states none.

    Raises:
        ArtefactError: the file cannot be read.
    """
    preprocessing = open_artefact(path).details.preprocessing
    return None if preprocessing is None else preprocessing.size


def _masked(artefact: Artefact, dense: Classifier | None) -> Network:
    assert artefact.mask is not None
    if dense is None:
        raise ArtefactError(
            f"{artefact.path} is a mask, which has no weights of its own. Give it after the dense model whose weights "
            "it is for: sparsescope evaluate DENSE MASK."
        )
    network = copied(dense)
    try:
        artefact.mask.apply(network.module)
    except ArtefactError as error:
        raise ArtefactError(f"{artefact.path}: {error}") from error
    return network


def _fill(network: Network, artefact: Artefact) -> None:
    problems = value_problems(artefact.tensors, network.module)
    if problems:
        more = f" ({len(problems) - 1} more tensors have such problems.)" if len(problems) > 1 else ""
        raise ArtefactError(f"{artefact.path}: {problems[0]}{more}")
    network.module.load_state_dict(artefact.tensors, strict=False)  # only num_batches_tracked can be missing


def normalisation(
    artefact: Artefact, network: Network, dense: Classifier | None = None
) -> tuple[Preprocessing, tuple[str, ...]]:
    """Return the normalisation that goes with an artefact, and a warning where the file does not say it."""
    if artefact.details.preprocessing is not None:
        return artefact.details.preprocessing, ()
    if artefact.kind == "mask" and dense is not None:
        return Preprocessing(tuple(dense.mean), tuple(dense.std)), ()
    if dense is not None and fits(dense, artefact):
        return _warned(Preprocessing(tuple(dense.mean), tuple(dense.std)), f"the dense network {dense.name}'s")
    first = next((tensor for tensor in artefact.tensors.values() if tensor.ndim == 4), None)
    known = network.preprocessing
    if known is None or (first is not None and len(known.mean) != first.shape[1]):
        return Preprocessing((0.0,), (1.0,)), (
            f"normalisation not stored in the file, and none is known for {network.spec} with these channels: pixels "
            "in [0, 1] are used as they are; give --mean/--std if it was trained otherwise",
        )
    return _warned(known, f"{network.spec}'s")


def _warned(preprocessing: Preprocessing, owner: str) -> tuple[Preprocessing, tuple[str, ...]]:
    mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (preprocessing.mean, preprocessing.std))
    return preprocessing, (
        f"normalisation not stored in the file: using {owner} mean ({mean}) and std ({std}); give --mean/--std if it "
        "was trained otherwise",
    )
