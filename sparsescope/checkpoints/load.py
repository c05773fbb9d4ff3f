"""From a path to a Classifier."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sparsescope.checkpoints.folding import fill
from sparsescope.checkpoints.kinds import Kind, Request, kind_of
from sparsescope.checkpoints.layout import Artefact, open_artefact
from sparsescope.checkpoints.masks import assigned
from sparsescope.checkpoints.network import Network, copied, find_network, fits
from sparsescope.checkpoints.tied import untied
from sparsescope.checkpoints.values import conversion_warnings, narrow_warnings, sparsity_warnings, value_problems
from sparsescope.classifier import Classifier, Origin
from sparsescope.errors import ArtefactError, OptionError
from sparsescope.mask import Mask
from sparsescope.modules import measurable
from sparsescope.preprocessing import Preprocessing
from sparsescope.values import per_channel

__all__ = ["load_classifier", "normalisation"]


def load_classifier(
    path: str | Path,
    *,
    arch: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output: str | int | None = None,
    dense: Classifier | str | Path | None = None,
    name: str | None = None,
    weights: str | None = None,
    trust_pickle: bool = False,
) -> Classifier:
    """Return the classifier that a file or folder holds, on the CPU, in float32.

    For how the architecture is found see `find_network`. Normalisation is `mean` and `std`; else our own checkpoint's;
    else what a library records of these weights, where it published them; else that of the dense network, where the
    weights have its names and shapes; else the architecture's. A warning says so where it is neither asked for nor
    known. Where it comes from is in `origin`.

    Args:
        path: weights (with or without a mask), a mask, which is applied to the weights of `dense`, or an artefact that
            holds its network (see `checkpoints.kinds`).
        arch: architecture specification, of weights.
        mean: per-channel mean, in [0, 1] units; goes with `std`.
        std: per-channel standard deviation, > 0.
        output: what the network returns (see `Classifier`); None means as for `dense`, else logits.
        dense: the dense network, which is not changed; with it, the file is a candidate and should be sparse.
        name: how results call it; the file's stem by default.
        weights: which of several state dicts in the file, by its keys with dots between them, such as `model_ema`.
        trust_pickle: whether a file may bring a whole pickled network, which can run any code when it is read.

    Raises:
        MissingWeightsError: the file has nothing under `weights`.
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
        dense = load_classifier(dense, arch=arch, mean=mean, std=std, output=output, trust_pickle=trust_pickle)
    if (found := kind_of(path, trust_pickle=trust_pickle)) is not None:
        given = None if mean is None or std is None else Preprocessing(per_channel(mean), per_channel(std))
        return _of_kind(*found, given, output, dense, name)
    artefact = open_artefact(path, weights)
    if artefact.kind == "mask":
        network, artefact = _masked(artefact, dense)
    else:
        network, artefact = find_network(artefact, arch, dense)
        _fill(network, artefact)
    preprocessing, source, noticed = normalisation(artefact, network, dense)
    if mean is not None and std is not None:
        preprocessing, source, noticed = Preprocessing(per_channel(mean), per_channel(std)), "given", ()
    classifier = Classifier(
        network.module,
        preprocessing.mean,
        preprocessing.std,
        mask=artefact.mask,
        output=next(known for known in (output, *_stored_output(artefact, dense), "logits") if known is not None),
        name=name or artefact.path.stem,
        origin=Origin(
            str(artefact.path),
            artefact.sha256,
            network.spec,
            guessed=network.guessed,
            normalization=source,
            stated=None if network.record is None else network.record.preprocessing,
            publisher=None if network.record is None else network.record.name,
            bytes=artefact.bytes,
        ),
        classes=_classes(artefact, network, dense),
    )
    about_values = (*conversion_warnings(artefact.tensors), *narrow_warnings(network.narrowed, network.spec))
    classifier.warnings = (
        *artefact.warnings,
        *classifier.warnings,
        *about_values,
        *network.open_questions(artefact, dense),
        *noticed,
        *sparsity_warnings(classifier, dense),
    )
    return classifier


def _of_kind(
    kind: Kind,
    request: Request,
    given: Preprocessing | None,
    output: str | int | None,
    dense: Classifier | None,
    name: str | None,
) -> Classifier:
    """Return the classifier of an artefact that says itself how its network is built."""
    opened = kind.open(request)
    noticed: tuple[str, ...] = ()
    if given is not None:
        preprocessing, source = given, "given"
    elif opened.preprocessing is not None:
        preprocessing, source = opened.preprocessing, opened.publisher
    elif dense is not None:
        preprocessing, source = Preprocessing(tuple(dense.mean), tuple(dense.std)), f"the dense network {dense.name}"
        noticed = _assumed(preprocessing, f"{source}'s")
    else:
        preprocessing, source, noticed = _plain_pixels(kind.name)
    module, changed = measurable(opened.module)
    classifier = Classifier(
        module,
        preprocessing.mean,
        preprocessing.std,
        output=output if output is not None else opened.output,
        name=name or request.path.stem,
        origin=Origin(
            request.place,
            opened.sha256,
            opened.architecture,
            normalization=source,
            stated=opened.preprocessing,
            publisher=opened.publisher,
            bytes=request.path.stat().st_size if opened.bytes is None and request.path.is_file() else opened.bytes,
        ),
        warnings=(*opened.warnings, *(() if changed is None else (changed,))),
        classes=opened.classes,
        lacks=opened.lacks,
        counted=opened.sparsity,
    )
    classifier.warnings += (*noticed, *sparsity_warnings(classifier, dense))
    return classifier


def _stored_output(artefact: Artefact, dense: Classifier | None) -> tuple[str | int | None, ...]:
    """Return how logits are read: as our own checkpoint says, then as the dense network's are."""
    return artefact.details.output, None if dense is None else dense.output


def _classes(artefact: Artefact, network: Network, dense: Classifier | None) -> tuple[str, ...]:
    """Return the names of the outputs: of our own checkpoint, of its publisher, or of the network a mask is for."""
    if artefact.kind == "mask":
        return () if dense is None else dense.classes
    published = network.record.classes if network.record is not None else None
    return published or artefact.details.classes


def _masked(artefact: Artefact, dense: Classifier | None) -> tuple[Network, Artefact]:
    """Return the dense network under a mask, and the mask by the network's own names."""
    assert artefact.mask is not None
    if dense is None:
        raise ArtefactError(
            f"{artefact.path} is a mask, which has no weights of its own. Give it after the dense model whose weights "
            "it is for: sparsescope evaluate DENSE MASK."
        )
    network = copied(dense)
    parameters = {name: p.detach() for name, p in network.module.named_parameters(remove_duplicate=False)}
    mask = artefact.mask
    if any(name not in parameters for name in mask):
        with contextlib.suppress(ArtefactError):  # the names are told by `apply`
            mask = Mask(assigned(dict(mask), parameters, "masks"), method=mask.method)
    artefact = untied(network.module, replace(artefact, mask=mask or artefact.mask))
    try:
        (artefact.mask or mask).apply(network.module)
    except ArtefactError as error:
        raise ArtefactError(f"{artefact.path}: {error}") from error
    return network, artefact


def _fill(network: Network, artefact: Artefact) -> None:
    problems = value_problems(artefact.tensors, network.module)
    if problems:
        more = f" ({len(problems) - 1} more tensors have such problems.)" if len(problems) > 1 else ""
        raise ArtefactError(f"{artefact.path}: {problems[0]}{more}")
    fill(network.module, artefact.tensors)


def normalisation(
    artefact: Artefact, network: Network, dense: Classifier | None = None
) -> tuple[Preprocessing, str, tuple[str, ...]]:
    """Return the normalisation that goes with an artefact, where it comes from, and a warning where it is assumed."""
    if artefact.details.preprocessing is not None:
        return artefact.details.preprocessing, "the checkpoint", ()
    if network.record is not None:
        return network.record.preprocessing, network.record.name, ()
    if dense is not None and (artefact.kind == "mask" or fits(dense, artefact)):
        own = Preprocessing(tuple(dense.mean), tuple(dense.std))
        source = f"the dense network {dense.name}"
        return own, source, () if artefact.kind == "mask" else _assumed(own, f"{source}'s")
    first = next((tensor for tensor in artefact.tensors.values() if tensor.ndim == 4), None)
    known = network.preprocessing
    if known is None or (first is not None and len(known.mean) != first.shape[1]):
        return _plain_pixels(f"{network.spec} with these channels")
    return known, f"{network.spec}, assumed", _assumed(known, f"{network.spec}'s")


def _plain_pixels(owner: str) -> tuple[Preprocessing, str, tuple[str, ...]]:
    warning = (
        f"normalization not stored in the file, and none is known for {owner}: pixels in [0, 1] are used as they are; "
        "give --mean/--std if it was trained otherwise"
    )
    return Preprocessing((0.0,), (1.0,)), "none: pixels in [0, 1] as they are", (warning,)


def _assumed(preprocessing: Preprocessing, owner: str) -> tuple[str, ...]:
    mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (preprocessing.mean, preprocessing.std))
    return (
        f"normalization not stored in the file: using {owner} mean ({mean}) and std ({std}); give --mean/--std if it "
        "was trained otherwise",
    )
