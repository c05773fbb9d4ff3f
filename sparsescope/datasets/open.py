"""From data SPECs to image sets: `open_images` for one set, `open_benchmark` for a task."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from sparsescope.benchmark import Benchmark, ImageSet, OodGroup, ProbeSet
from sparsescope.datasets import FAR, SOURCES
from sparsescope.datasets.probes import CHANNELS, EMBEDDED
from sparsescope.datasets.probes.open import open_probe
from sparsescope.datasets.resizing import Interpolation, Resizing
from sparsescope.datasets.source import Shape, Source
from sparsescope.errors import DataError, OptionError

__all__ = ["open_benchmark", "open_images"]


def open_images(
    spec: str,
    *,
    split: Literal["test", "train"] = "test",
    resize: int | None = None,
    crop: int | None = None,
    grey: bool = False,
) -> ImageSet:
    """Return the images of one split of a data SPEC.

    A SPEC with one set only, such as `npz:FILE`, gives it whatever split is asked for.

    Args:
        spec: a form of the catalogue in `sparsescope.datasets`.
        split: `"test"` or `"train"`.
        resize: pixels of the shorter side after resizing; None leaves the size.
        crop: side of the centre crop, pixels; None leaves the size.
        grey: whether image files are read in one channel instead of three; arrays keep the channels they have.

    Raises:
        OptionError: an unknown form, or a size that is none.
        DataError: the data cannot be used; the text names file and cause.

    Example:
        >>> from sparsescope import open_images
        >>> digits = open_images("digits", split="train")
        >>> digits.shape, digits.read([0]).shape
        ((1, 32, 32), torch.Size([1, 1, 32, 32]))
    """
    return _open_source(spec, Resizing(resize, crop, grey)).images(split)


def open_benchmark(
    data: str,
    *,
    ood: str | Sequence[str] = (),
    train: str | None = None,
    probe: str | None = None,
    resize: int | None = None,
    crop: int | None = None,
    interpolation: Interpolation = "bilinear",
    grey: bool = False,
) -> Benchmark:
    """Return the benchmark of a data SPEC.

    Args:
        data: SPEC of the labelled test images, and of the training images where it has them.
        ood: SPECs of out-of-distribution sets, named after file, folder, function or scheme (`-2`, `-3` … if a name
            comes again); none means those that belong to `data` itself, such as the letters of `digits`, and where
            it has none, the far sets `FAR`: noise and textures in the shape of the test images.
        train: SPEC of the training images, instead of those of `data`.
        probe: SPEC of the probe set (`sparsescope.datasets.probes`); none means that of `data`, and where it has none,
            the embedded scenes, in the shape of the test images.
        resize: pixels of the shorter side after resizing, for every set; None leaves the sizes.
        crop: side of the centre crop, pixels, for every set; None leaves the sizes.
        interpolation: of the resize: `bilinear`, `bicubic` or `nearest`, with antialiasing.
        grey: whether image files are read in one channel instead of three; arrays keep the channels they have.

    Raises:
        OptionError: an unknown form, or a size that is none.
        DataError: data that cannot be used, test or training images without labels, sets of different image shapes, or
            test and training sets that number the same classes differently.

    Example:
        >>> from sparsescope import open_benchmark
        >>> benchmark = open_benchmark("digits", ood=["noise:uniform"])
        >>> len(benchmark.test), list(benchmark.ood)
        (800, ['uniform_noise'])
    """
    resizing = Resizing(resize, crop, grey, interpolation)
    source = _open_source(data, resizing)
    training = _open_source(train, resizing) if train is not None else None
    if training is not None:
        _check_same_labels(source, training)
    elif "train" in source.splits:
        training = source
    if source.outputs is not None and len(source.outputs) != len(source.classes):
        raise DataError(f"{data} has none of the classes. Use it with --ood.")
    test = source.images("test")
    task = source.benchmark or Benchmark(source.name, test, classes=source.classes, outputs=source.outputs)
    if ood or not source.ood:
        sets, groups, outputs = _out_of_distribution(ood or FAR, resizing, source, task.outputs, test.shape)
    else:
        sets, groups = {name: read() for name, read in source.ood.items()}, dict(source.ood_groups)
        outputs = task.ood_outputs
    return replace(
        task,
        test=test,
        train=training.images("train") if training is not None else None,
        ood=sets,
        ood_groups=groups,
        ood_outputs=outputs,
        probe=_probe(probe, task.probe, test.shape),
    )


def _probe(spec: str | None, own: ProbeSet | None, shape: Shape) -> ProbeSet | None:
    """Return the probe set that is asked for, else the data's own, else the embedded one if it can be drawn so."""
    if spec is not None:
        return open_probe(spec, shape)
    if own is None and shape[0] in CHANNELS:
        return open_probe(EMBEDDED, shape)
    return own


def _out_of_distribution(
    specs: str | Sequence[str], resizing: Resizing, test: Source, cut: tuple[int, ...] | None, shape: Shape
) -> tuple[dict[str, ImageSet], dict[str, OodGroup], dict[str, tuple[int, ...]]]:
    """Return the sets, their groups, and the model outputs that those with outputs of their own are judged on.

    They stand beside the test images, of `shape`, on which the models are cut to the outputs `cut`.
    """
    sets: dict[str, ImageSet] = {}
    groups: dict[str, OodGroup] = {}
    outputs: dict[str, tuple[int, ...]] = {}
    listed = (specs,) if isinstance(specs, str) else tuple(specs)
    if twice := [spec for place, spec in enumerate(listed) if spec in listed[:place]]:
        raise OptionError(
            f"The out-of-distribution set {twice[0]} is given twice, and would count twice. Give it once."
        )
    for spec in listed:
        source = _open_source(spec, resizing)
        if source.outputs is not None and (source.classes != test.classes or cut is not None):
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
    entry, argument = SOURCES.find(spec)
    source: Source = entry.open(argument, resizing)
    return source
