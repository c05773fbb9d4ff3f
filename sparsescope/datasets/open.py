"""From data SPECs to image sets: `open_images` for one set, `open_benchmark` for a task."""

import difflib
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sparsescope.benchmark import Benchmark, ImageSet, OodGroup
from sparsescope.datasets import FAR, SOURCES, USER_FORMS
from sparsescope.datasets.resizing import Resizing
from sparsescope.datasets.source import Shape, Source
from sparsescope.datasets.user import open_user
from sparsescope.errors import DataError, OptionError
from sparsescope.userfiles import is_object_spec

__all__ = ["open_benchmark", "open_images"]


def open_images(
    spec: str, *, split: Literal["test", "train"] = "test", resize: int | None = None, crop: int | None = None
) -> ImageSet:
    """Return the images of one split of a data SPEC.

    A SPEC with one set only, such as `npz:FILE`, gives it whatever split is asked for.

    Args:
        spec: a form of the catalogue in `sparsescope.datasets`.
        split: `"test"` or `"train"`.
        resize: pixels of the shorter side after resizing; None leaves the size.
        crop: side of the centre crop, pixels; None leaves the size.

    Raises:
        OptionError: an unknown form, or a size that is none.
        DataError: the data cannot be used; the text names file and cause.
    """
    return _open_source(spec, Resizing(resize, crop)).images(split)


def open_benchmark(
    data: str,
    *,
    ood: Sequence[str] = (),
    train: str | None = None,
    resize: int | None = None,
    crop: int | None = None,
) -> Benchmark:
    """Return the benchmark of a data SPEC.

    Args:
        data: SPEC of the labelled test images, and of the training images where it has them.
        ood: SPECs of out-of-distribution sets, named after file, folder, function or scheme (`-2`, `-3` … if a name
            comes again); none means those that belong to `data` itself, such as the letters of `digits`, and where
            it has none, the far sets `FAR`: noise and textures in the shape of the test images.
        train: SPEC of the training images, instead of those of `data`.
        resize: pixels of the shorter side after resizing, for every set; None leaves the sizes.
        crop: side of the centre crop, pixels, for every set; None leaves the sizes.

    Raises:
        OptionError: an unknown form, or a size that is none.
        DataError: data that cannot be used, test or training images without labels, sets of different image shapes, or
            test and training sets that number the same classes differently.
    """
    resizing = Resizing(resize, crop)
    source = _open_source(data, resizing)
    training = _open_source(train, resizing) if train is not None else None
    if training is not None:
        _check_same_labels(source, training)
    elif "train" in source.splits:
        training = source
    if source.outputs is not None and len(source.outputs) != len(source.classes):
        raise DataError(f"{data} shows none of the classes: it is an out-of-distribution set, for --ood.")
    test = source.images("test")
    if ood or not source.ood:
        sets, groups, outputs = _out_of_distribution(ood or FAR, resizing, test.shape, source)
    else:
        sets, groups, outputs = {name: read() for name, read in source.ood.items()}, dict(source.ood_groups), {}
    return Benchmark(
        name=source.name,
        test=test,
        train=training.images("train") if training is not None else None,
        ood=sets,
        ood_groups=groups,
        classes=source.classes,
        outputs=source.outputs,
        ood_outputs=outputs,
    )


def _out_of_distribution(
    specs: Sequence[str], resizing: Resizing, shape: Shape, test: Source
) -> tuple[dict[str, ImageSet], dict[str, OodGroup], dict[str, tuple[int, ...]]]:
    """Return the sets, their groups, and the model outputs that those with outputs of their own are judged on."""
    sets: dict[str, ImageSet] = {}
    groups: dict[str, OodGroup] = {}
    outputs: dict[str, tuple[int, ...]] = {}
    for spec in specs:
        source = _open_source(spec, resizing)
        if source.outputs is not None and (source.classes != test.classes or test.outputs is not None):
            raise DataError(
                f"{spec} is defined on outputs for some of the 1,000 ImageNet classes, beside their validation "
                f"images: expected test images imagenet:DIR, but got {test.spec}."
            )
        name, number = source.name, 2
        while name in sets:
            name, number = f"{source.name}-{number}", number + 1
        sets[name] = source.draw(shape) if source.draw else source.images("test")
        groups[name] = "far" if source.draw else "given"
        if source.outputs is not None:
            outputs[name] = source.outputs
    return sets, groups, outputs


def _check_same_labels(test: Source, train: Source) -> None:
    for label, name in enumerate(test.classes):
        if name in train.classes and train.classes.index(name) != label:
            raise DataError(
                f"Expected {test.spec} and {train.spec} to number their classes alike, but {name!r} has label {label} "
                f"in the first and {train.classes.index(name)} in the second."
            )


def _open_source(spec: str, resizing: Resizing) -> Source:
    scheme, _, argument = spec.partition(":")
    if scheme in SOURCES:
        form, opener = SOURCES[scheme]
        if (":" in form) != bool(argument):
            raise OptionError(f"Expected {form}, but got {spec!r}.")
        module, _, function = opener.partition(":")
        source: Source = getattr(importlib.import_module(module), function)(argument, resizing)
        return source
    if is_object_spec(spec) and not _is_misspelt(scheme):
        return open_user(spec, resizing)
    raise OptionError(f"Unknown data {spec!r}. {_suggestion(spec)}Expected one of: {', '.join(_forms())}.")


def _is_misspelt(scheme: str) -> bool:
    """Return whether a name before a colon looks like a scheme and there is no module of that name."""
    return scheme.isidentifier() and bool(_close(scheme)) and importlib.util.find_spec(scheme) is None


def _close(scheme: str) -> list[str]:
    return difflib.get_close_matches(scheme.lower(), SOURCES, n=3)


def _forms() -> list[str]:
    return [*(entry.form for entry in SOURCES.values()), *USER_FORMS]


def _suggestion(spec: str) -> str:
    path = Path(spec).expanduser()
    if ":" not in spec and path.suffix == ".npz":
        return f"Did you mean npz:{spec}? "
    if ":" not in spec and path.suffix == ".py":
        return f"Did you mean {spec}:function, with the function's name? "
    if spec and path.is_dir():
        return f"Did you mean folder:{spec}? "
    close = _close(spec.partition(":")[0])
    return f"Did you mean {' or '.join(SOURCES[name].form for name in close)}? " if close else ""
