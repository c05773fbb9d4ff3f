"""From what the user hands over — paths, modules, classifiers — to classifiers with unique names."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from torch import nn

from sparsescope.checkpoints import MissingWeightsError, kind_of, load_classifier
from sparsescope.checkpoints.values import sparsity_warnings
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, InputError, OptionError, raise_together
from sparsescope.modules import measurable
from sparsescope.results import Pair, Pairs
from sparsescope.values import per_channel

__all__ = ["Model", "ModelOptions", "open_models", "open_pairs"]

Model = str | Path | nn.Module | Classifier
"""A model file or mask file, a network on normalised images, or a classifier."""


@dataclass(frozen=True)
class ModelOptions:
    """What model files and modules do not say of themselves; a Classifier says all of it.

    Args:
        arch: architecture specification, of files.
        mean: per-channel mean in [0, 1] units; goes with `std`.
        std: per-channel standard deviation, > 0.
        output: what the networks return (see `Classifier`); None: of a candidate what dense returns, of dense logits.
        weights: which of several state dicts in a file, as `load_classifier` takes it; of files that have it.
        trust_pickle: whether files may be whole pickled networks, which can run any code when they are read.
    """

    arch: str | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    output: str | int | None = None
    weights: str | None = None
    trust_pickle: bool = False

    def __post_init__(self) -> None:
        """An iterator is read once, for several models."""
        for name in ("mean", "std"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, per_channel(given))

    def check_used_by(self, models: Sequence[Model]) -> None:
        """Raise OptionError for an option that none of the models takes, which would be ignored in silence."""
        if (self.mean is None) != (self.std is None):
            raise OptionError("Expected mean and std together, but got only one of them.")
        given = [item.name for item in fields(self) if getattr(self, item.name) not in (None, False)]
        if given and all(isinstance(model, Classifier) for model in models):
            raise OptionError(
                f"Every model is a Classifier, which has its own normalization and output: leave out "
                f"{', '.join(given)}, or set them in Classifier(module, mean, std, output=…)."
            )
        files = [model for model in models if isinstance(model, str | Path)]
        about_files = {
            "arch": ("says how the network of a file of weights is built", not all(map(kind_of, files))),
            "weights": ("says which weights of a file are meant", not all(map(kind_of, files))),
            "trust_pickle": ("is about files that hold a pickled network", bool(files)),
        }
        for name, (meaning, used) in about_files.items():
            if name in given and not used:
                what = "is a file" if not files else "is a file of weights"
                raise OptionError(f"No model {what}: leave out {name} ({getattr(self, name)!r}), which {meaning}.")


def open_models(dense: Model, candidates: Sequence[Model], options: ModelOptions | None = None) -> list[Classifier]:
    """Return classifiers, dense first, named uniquely: by file stem, else `dense`, `sparse`.

    Args:
        dense: the dense model.
        candidates: the models that are compared with it; a mask file is applied to it.
        options: what files and modules do not say of themselves.

    Raises:
        OptionError: an option that no model takes.
        ArtefactError: a file that cannot be used (see `checkpoints.load_classifier`), no file that has the weights
            asked for, or a mask that is not applied. Of several candidates all that cannot be used are named at once.
    """
    return _open_all([dense], [(candidate, 0) for candidate in candidates], options or ModelOptions())


def open_pairs(
    pairs: Sequence[tuple[Model, Model]], options: ModelOptions | None = None
) -> tuple[list[Classifier], Pairs]:
    """Return classifiers, the dense ones first, and the pairs that they form; see `open_models`.

    A dense model of several pairs has one name, a candidate has one in each of its pairs.

    Args:
        pairs: dense model and candidate of each.
        options: what files and modules do not say of themselves.

    Raises:
        OptionError: no pair, something else than pairs, or a pair that is given twice; or as `open_models`.
        ArtefactError: as `open_models`.
    """
    if not pairs or any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):
        raise OptionError(f"Expected pairs of a dense model and a candidate, but got {list(pairs)!r:.60}.")
    known = [(_place(dense), _place(candidate)) for dense, candidate in pairs]
    for number, pair in enumerate(known, start=1):
        if (first := known.index(pair) + 1) < number:
            raise OptionError(f"Expected pairs of different trainings, but pair {number} is pair {first} once more.")
    parents = {place: dense for (place, _), (dense, _) in zip(known, pairs, strict=True)}
    places = [list(parents).index(place) for place, _ in known]
    candidates = [candidate for _, candidate in pairs]
    classifiers = _open_all(
        list(parents.values()), list(zip(candidates, places, strict=True)), options or ModelOptions()
    )
    names = [classifier.name for classifier in classifiers]
    named = zip(names[len(parents) :], places, strict=True)
    return classifiers, Pairs(tuple(names), tuple(Pair(dense=names[place], candidate=name) for name, place in named))


def _place(model: Model) -> object:
    """Return what tells whether two models are one: where its file is, or which object it is."""
    return Path(model).resolve() if isinstance(model, str | Path) else id(model)


def _open_all(
    dense: Sequence[Model], candidates: Sequence[tuple[Model, int]], options: ModelOptions
) -> list[Classifier]:
    """Return the classifiers of dense models and of candidates, each of which goes with one of them, by its place."""
    given = [*dense, *(candidate for candidate, _ in candidates)]
    options.check_used_by(given)
    absent: list[MissingWeightsError] = []
    parents = [_open(model, "dense", options, None, absent) for model in dense]
    models, refused = list(parents), []
    for candidate, place in candidates:
        try:
            models.append(_open(candidate, "sparse", options, parents[place], absent))
        except InputError as error:
            refused.append(error)
    raise_together(refused, len(candidates), "candidates")
    if absent and len(absent) == sum(isinstance(model, str | Path) for model in given):
        raise absent[0]
    return _named_uniquely(models)


def _named_uniquely(models: Sequence[Classifier]) -> list[Classifier]:
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


def _open(
    model: Model, name: str, options: ModelOptions, dense: Classifier | None, absent: list[MissingWeightsError]
) -> Classifier:
    """Return the classifier; `absent` gets the error of a file that has no weights under the name asked for."""
    if isinstance(model, Classifier):
        opened = model if model.name != "model" else replace(model, name=name)
    elif isinstance(model, nn.Module):
        mean, std = ((0.0,), (1.0,)) if options.mean is None or options.std is None else (options.mean, options.std)
        output = options.output if options.output is not None else (dense.output if dense is not None else "logits")
        opened = Classifier(model, mean, std, output=output, name=name)
    elif not isinstance(model, str | Path):
        raise OptionError(
            f"Expected {name} to be the path of a model file, an nn.Module or a Classifier, but got a "
            f"{type(model).__name__}. Load a state dict into its network first."
        )
    else:
        opened = _load(model, options, dense, absent)
    _check_mask_applied(opened)
    if dense is not None and not isinstance(model, str | Path):
        found = sparsity_warnings(opened, dense)
        opened = replace(opened, warnings=(*opened.warnings, *(text for text in found if text not in opened.warnings)))
    module, changed = measurable(opened.module)
    if module is opened.module:
        return opened
    return replace(opened, module=module, warnings=(*opened.warnings, *([changed] if changed else [])))


def _load(
    path: str | Path, options: ModelOptions, dense: Classifier | None, absent: list[MissingWeightsError]
) -> Classifier:
    load = functools.partial(
        load_classifier,
        path,
        arch=options.arch,
        mean=options.mean,
        std=options.std,
        output=options.output,
        dense=dense,
        trust_pickle=options.trust_pickle,
    )
    try:
        return load(weights=options.weights)
    except MissingWeightsError as error:
        if error.others > 1:
            raise
        absent.append(error)
    opened = load()
    if absent[-1].others:  # a mask has none
        opened.warnings += (f"the file has no weights under {options.weights!r}: those that it has were used.",)
    return opened


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
