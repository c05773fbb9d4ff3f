"""Classes by name: outputs are brought into the order of the data's labels where names on both sides say how."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.datasets.imagenet import class_names, synsets
from sparsescope.errors import DataError

__all__ = ["match_classes", "refuse_other_classes"]

_NUMBERED = " If label k is output k whatever they are called, say so: --classes number."


def match_classes(benchmark: Benchmark, classifiers: Sequence[Classifier]) -> tuple[Benchmark, tuple[Classifier, ...]]:
    """Return benchmark and models whose labels and outputs mean the same classes, as far as names are known.

    A model without names has those of the dense one, and data without names those of the dense model. Models whose
    outputs are in another order, or of more classes, get `outputs` in the order of the labels, the classes that the
    data lacks behind them; a warning says so. A benchmark that says which outputs it is about is left as it is.

    Raises:
        DataError: names that cannot be matched: another number, one at another place than its own, or fewer than half
            the same; the text has the first that differ.
    """
    known = _output_names(classifiers[0])
    labels, source = benchmark.classes, benchmark.test.source
    if not labels:
        labels, source = known, classifiers[0].name
    if not labels or benchmark.outputs is not None:
        return benchmark, tuple(classifiers)
    all_names, matched = labels, []
    for classifier in classifiers:
        names = _output_names(classifier) or known
        comparable = names and classifier.outputs is None and _are_numbers(labels) == _are_numbers(names)
        found = _match(labels, source, names, classifier.name) if comparable else _Match()
        if found.order is not None and classifier is classifiers[0]:
            all_names = (*labels, *(names[output] for output in found.order[len(labels) :]))
        warnings = (*classifier.warnings, *found.warnings)
        moved = found.order if found.order != tuple(range(len(names))) else None
        outputs = classifier.outputs if moved is None else moved
        matched.append(replace(classifier, classes=names, outputs=outputs, warnings=warnings))
    return replace(benchmark, classes=all_names if benchmark.classes else ()), tuple(matched)


def refuse_other_classes(benchmark: Benchmark, classifier: Classifier) -> None:
    """Raise DataError where the outputs of a network are other classes than the labels, or in another order."""
    _, (matched,) = match_classes(benchmark, [classifier])
    if matched.outputs is not None and matched.outputs != tuple(range(len(matched.outputs))):
        raise DataError(
            f"{classifier.name}: {matched.warnings[-1]}. Training and scores take label k for output k: name the "
            f"classes so that they are in the order of the outputs.{_NUMBERED}"
        )


@dataclass(frozen=True)
class _Match:
    """The output of each label, then the other outputs; None where labels and outputs are left as they are."""

    order: tuple[int, ...] | None = None
    warnings: tuple[str, ...] = ()


def _match(classes: tuple[str, ...], source: str, names: tuple[str, ...], model: str) -> _Match:
    labels, outputs = _comparable(classes, names)
    if labels == outputs:
        return _Match()
    place = next((i for i, (a, b) in enumerate(zip(labels, outputs, strict=False)) if a != b), None)
    differ = (
        f"class {place} is {classes[place]!r} in {source} and {names[place]!r} for {model}"
        if place is not None
        else f"{source} has {len(classes)} classes, and {model} names {len(names)}"
    )
    if len(set(labels)) == len(labels) and len(set(outputs)) == len(outputs) and set(labels) <= set(outputs):
        order = [outputs.index(label) for label in labels]
        order += [output for output in range(len(outputs)) if output not in set(order)]
        said = f"outputs are matched with the classes of {source} by name, as their order is another one: {differ}"
        return _Match(tuple(order), () if order == sorted(order) else (said,))
    once = {name for name, times in Counter(labels).items() if times == outputs.count(name) == 1}
    displaced = any(label in once and label != output for label, output in zip(labels, outputs, strict=False))
    same = sum(label == output for label, output in zip(labels, outputs, strict=False))
    if len(labels) != len(outputs) or displaced or same < len(labels) / 2:
        raise DataError(
            f"The classes of {source} are not those of {model}: {differ}. Is this the model's data set? Give the "
            f"classes the names that the model has for them, and they are matched by name.{_NUMBERED}"
        )
    return _Match()


def _output_names(classifier: Classifier) -> tuple[str, ...]:
    """Return the names of a model's outputs: its own, or what Hugging Face's and timm's networks hold."""
    if classifier.classes:
        return tuple(classifier.classes)
    numbered = getattr(getattr(classifier.module, "config", None), "id2label", None)
    if isinstance(numbered, dict) and set(numbered) == set(range(len(numbered))):
        names = tuple(str(numbered[output]) for output in range(len(numbered)))
        return () if all(re.fullmatch(r"LABEL_\d+", name) for name in names) else names
    cfg = getattr(classifier.module, "pretrained_cfg", None)
    listed = cfg.get("label_names") if isinstance(cfg, dict) else None
    if isinstance(listed, list | tuple) and len(listed) == getattr(classifier.module, "num_classes", None):
        return tuple(map(str, listed))
    return ()


def _comparable(classes: tuple[str, ...], names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return both lists in one spelling: synsets as names if only one has synsets, and plain where that is unique."""
    if _are_synsets(classes) != _are_synsets(names):
        classes, names = _readable(classes), _readable(names)
    plain = [[_plain(name) for name in each] for each in (classes, names)]
    if any(len(set(each)) < len(set(given)) for each, given in zip(plain, (classes, names), strict=True)):
        return list(classes), list(names)
    return plain[0], plain[1]


def _are_synsets(names: tuple[str, ...]) -> bool:
    return set(names) <= set(synsets())


def _are_numbers(names: tuple[str, ...]) -> bool:
    """Return whether names are numbers, or the same word with numbers, and so say nothing of the classes."""
    words = {re.sub(r"[\W_]*\d+", "", name).casefold() for name in names}
    return len(words) == 1 and all(re.search(r"\d$", name) for name in names)


def _readable(names: tuple[str, ...]) -> tuple[str, ...]:
    known = dict(zip(synsets(), class_names(), strict=True))
    return tuple(known.get(name, name) for name in names)


def _plain(name: str) -> str:
    """Return a name without numbering, synonyms behind a comma, case and punctuation: `8_Ship` is `ship`."""
    first = re.sub(r"^\d+[\W_]+(?=\w)", "", name.partition(",")[0])
    return re.sub(r"[\W_]+", "", first).casefold()
