"""Task: the models and the data of one comparison. The one place where every command opens them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from sparsescope.benchmark import Benchmark, ImageSet
from sparsescope.checkpoints import stored_size, stored_task
from sparsescope.classifier import Classifier
from sparsescope.corruptions.stored import open_corrupted
from sparsescope.datasets import ClassesBy, open_benchmark, open_images, open_probe, runs_user_code, usual_recipe
from sparsescope.datasets.resizing import Interpolation
from sparsescope.errors import ArtefactError, DataError, OptionError
from sparsescope.evaluation.classes import match_classes
from sparsescope.evaluation.models import Model, ModelOptions, open_models
from sparsescope.results import Pairs

__all__ = ["DataOptions", "Task", "data_spec", "images_of", "open_data", "open_task", "stored_data", "with_data"]


_USUAL = (256, 224, "bilinear")
"""Shorter side, centre crop and interpolation of photographs where nothing else is known; as the data sets have it."""


@dataclass(frozen=True)
class DataOptions:
    """Which images belong to a task, and how they are read; see `datasets.open_benchmark`.

    Args:
        ood: SPECs of out-of-distribution sets; none: the data set's own, else noise and textures.
        corrupted: SPEC of stored corrupted test images; None: the benchmark's own, else they are made on the fly.
        train: SPEC of the training images; None: the data set's own.
        probe: SPEC of the probe set; None: the benchmark's own, of a SPEC else the embedded scenes.
        resize: pixels of the shorter side after resizing.
        crop: side of the centre crop in pixels.
        classes: how outputs belong to labels, see `match_classes`.
        interpolation: of the resize.
    """

    ood: Sequence[str] = ()
    corrupted: str | None = None
    train: str | None = None
    probe: str | None = None
    resize: int | None = None
    crop: int | None = None
    classes: ClassesBy = "name"
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        """How classes are matched is one of two words."""
        if self.classes not in get_args(ClassesBy):
            raise OptionError(f"Expected classes to be 'name' or 'number', but got {self.classes!r}.")

    def sized_as(self, dense: Model) -> "DataOptions":
        """Return the options with the sizes that the dense checkpoint states, unless others are asked for."""
        if self.resize is not None or self.crop is not None or not isinstance(dense, str | Path):
            return self
        stored = stored_task(dense)
        return replace(self, resize=stored.resize, crop=stored.crop)

    def check_fit_for_benchmark(self) -> None:
        """Raise OptionError for options that a Benchmark, whose sets are open already, would ignore in silence."""
        instead = {
            "ood": "ood={'svhn': sparsescope.open_images('folder:svhn')}",
            "train": "train=sparsescope.open_images('folder:train')",
            "resize": "test=… with images of that size",
            "crop": "test=… with images of that size",
        }
        given = [name for name in instead if (value := getattr(self, name)) is not None and (name != "ood" or value)]
        if given:
            raise OptionError(
                f"The benchmark is a Benchmark, whose image sets are open already: leave out {', '.join(given)}, or "
                f"change the sets: dataclasses.replace(benchmark, {instead[given[0]]})."
            )


@dataclass(frozen=True)
class Task:
    """The models of one comparison and their data.

    Args:
        classifiers: the models, dense first, under different names, cut to the outputs that the data is about.
        benchmark: the data.
        method: name of the method whose trainings the pairs are; None where no method is judged.
        paired: who is compared with whom; None: the first model, which is dense, with all others.
    """

    classifiers: tuple[Classifier, ...]
    benchmark: Benchmark
    method: str | None = None
    paired: Pairs | None = None

    @property
    def pairs(self) -> Pairs:
        """Who is compared with whom."""
        return self.paired or Pairs.of_one_dense([classifier.name for classifier in self.classifiers])

    @property
    def dense(self) -> Classifier:
        """The dense model; of several, the first."""
        return self.classifiers[0]

    @property
    def candidates(self) -> tuple[Classifier, ...]:
        """The models that are compared with it, in the order given."""
        return self.classifiers[1:]


def open_task(
    dense: Model,
    candidates: Sequence[Model] = (),
    data: str | Benchmark | None = None,
    *,
    models: ModelOptions | None = None,
    images: DataOptions | None = None,
) -> Task:
    """Open models and data: files by their architecture, grey images for grey models, outputs cut to the task.

    Where names of classes are known on both sides, outputs are matched with labels by name; see `match_classes`.

    Args:
        dense: the dense model; alone, the model.
        candidates: the models that are compared with it.
        data: SPEC of the data, or a Benchmark; None: what the dense checkpoint names.
        models: what files and modules do not say of themselves.
        images: which other images belong to the task, and how they are read.

    Raises:
        OptionError: an option that would have no effect, or no data.
        InputError: a model or data that cannot be used; the text names the file and the cause.
    """
    return with_data(open_models(dense, candidates, models), [dense], data, images)


def with_data(
    classifiers: Sequence[Classifier], dense: Sequence[Model], data: str | Benchmark | None, images: DataOptions | None
) -> Task:
    """Return the models with their data; `dense`: the dense models as they were handed over."""
    if data is None:
        benchmark = _own_data(dense[0], classifiers[0], images)
    else:
        benchmark = open_data(data, classifiers[0], _sized_as_published(images, classifiers[0], data))
    for classifier, model in zip(classifiers, dense, strict=False):
        _warn_of_other_size(classifier, model, benchmark)
    if benchmark.outputs is not None:
        classifiers = [replace(classifier, outputs=benchmark.outputs) for classifier in classifiers]
    matched = tuple(classifiers)
    if images is None or images.classes == "name":
        benchmark, matched = match_classes(benchmark, matched)
    return Task(matched, benchmark)


def _own_data(dense: Model, classifier: Classifier, images: DataOptions | None) -> Benchmark:
    """Return the data that the dense checkpoint names, in the size that it states."""
    spec = data_spec(dense, None)
    try:
        return open_data(spec, classifier, (images or DataOptions()).sized_as(dense))
    except DataError as error:
        raise DataError(f"{error} ({dense} says that {spec} is its data: give --data if that is elsewhere.)") from error


def _sized_as_published(
    options: DataOptions | None, classifier: Classifier, data: str | Benchmark
) -> DataOptions | None:
    """Return the options with the sizes that the publisher of the weights states, for photographs of all sizes."""
    asked = options or DataOptions()
    record = classifier.origin.stated
    if record is None or asked.resize is not None or asked.crop is not None or not isinstance(data, str):
        return options
    usual, stated = _USUAL, (record.resize, record.size, record.interpolation)
    if usual_recipe(data) != "imagenet" or stated == usual:
        return options
    resize, crop, interpolation = stated
    how = "bilinear" if interpolation not in get_args(Interpolation) else interpolation
    other = "" if how == interpolation else f", with {how} interpolation where it states {interpolation}"
    publisher = classifier.origin.publisher
    classifier.warnings += (
        f"images are resized to {resize} px ({how}) and cropped to {crop} px, as {publisher} states{other}",
    )
    return replace(asked, resize=resize, crop=crop, interpolation=cast(Interpolation, how))


def _warn_of_other_size(classifier: Classifier, dense: Model, benchmark: Benchmark) -> None:
    """Many networks take images of any size, and answer worse where it is not the one they were trained on."""
    size = stored_size(dense) if isinstance(dense, str | Path) else None
    if size is None and classifier.origin.stated is not None:
        size = classifier.origin.stated.size
    if size is not None and size != benchmark.test.shape[1]:
        classifier.warnings += (
            f"was trained on images of {size} px, but these have {benchmark.test.shape[1]} px: give --resize and "
            "--crop as in its training",
        )


def data_spec(dense: Model | None, spec: str | None) -> str:
    """Return the data SPEC, by default the one that the dense checkpoint names; OptionError where there is none."""
    if spec is None and isinstance(dense, str | Path):
        spec = stored_data(dense)
    if spec is None:
        raise OptionError("Expected --data SPEC, such as cifar10:DIR or folder:DIR: the dense model names no data set.")
    return spec


def stored_data(path: str | Path) -> str | None:
    """Return the data specification that our own checkpoint names; None where the file is another or names none.

    Raises:
        ArtefactError: the file cannot be read, it names code, which is not run unasked, or data of an unknown form.
    """
    spec = stored_task(path).data
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


def images_of(data: str, classifier: Classifier) -> ImageSet:
    """Return the test images of a SPEC as a model takes them; they need no labels."""
    return open_images(data, grey=_takes_grey(classifier))


def _takes_grey(classifier: Classifier | None) -> bool:
    return classifier is not None and classifier.channels == 1


def open_data(
    data: str | Benchmark, classifier: Classifier | None = None, options: DataOptions | None = None
) -> Benchmark:
    """Return the benchmark of a SPEC as a model takes it, or a Benchmark with the stored sets that are asked for.

    Args:
        data: SPEC, or a Benchmark.
        classifier: the model that decides whether image files are read in grey; None: they are not.
        options: which other images, and how they are read.

    Raises:
        OptionError: an option that a Benchmark would ignore, or an unknown form.
        DataError: data that cannot be used.
    """
    asked = options or DataOptions()
    if isinstance(data, str):
        benchmark = open_benchmark(
            data,
            ood=asked.ood,
            train=asked.train,
            probe=asked.probe,
            resize=asked.resize,
            crop=asked.crop,
            interpolation=asked.interpolation,
            grey=_takes_grey(classifier),
        )
    elif not isinstance(data, Benchmark):
        raise OptionError(f"Expected the data as a SPEC, such as 'cifar10:DIR', or as a Benchmark, but got {data!r}.")
    else:
        asked.check_fit_for_benchmark()
        benchmark = data
        if asked.probe is not None:
            benchmark = replace(benchmark, probe=open_probe(asked.probe, benchmark.test.shape))
    if asked.corrupted is not None:
        benchmark = replace(benchmark, corrupted=open_corrupted(asked.corrupted, benchmark.test))
    return benchmark
