"""The same images explained for several models side by side: what each of them looks at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sparsescope.benchmark import ImageSet
from sparsescope.classifier import Classifier
from sparsescope.errors import DataError
from sparsescope.evaluation.checks import check_models, images_to_show
from sparsescope.lime import Explanation, explain
from sparsescope.lime.settings import Target
from sparsescope.measurements.predictions import predict
from sparsescope.plots import explanation, panels
from sparsescope.plots.style import shortened

__all__ = ["Row", "explain_side_by_side", "figure", "first_images", "lost_images"]


SHOWN = 3
"""Images explained unless others are asked for."""

CHUNK = 256
"""Images predicted at a time while looking for lost ones."""


@dataclass(frozen=True)
class Row:
    """One image with an explanation by every model.

    Args:
        index: place of the image in its set.
        image: (C, H, W) in [0, 1].
        label: its label.
        predictions: each model's top-1 class, by the model's name.
        explanations: each model's explanation, by the model's name.
    """

    index: int
    image: Tensor
    label: int
    predictions: dict[str, int]
    explanations: dict[str, Explanation]


def lost_images(classifiers: Sequence[Classifier], images: ImageSet, count: int, batch_size: int = 32) -> list[int]:
    """Return up to `count` indices of the first images that the first model gets right and one of the others wrong."""
    labels, found = images.required_labels(), list[int]()
    for start in range(0, len(images), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(images)))
        pixels = images.read(rows)
        right = []
        for classifier in classifiers:
            with classifier.prepared():
                right.append(predict(classifier, pixels, batch_size).argmax(axis=1) == labels[rows])
        found += rows[right[0] & ~np.all(right, axis=0)].tolist()
        if len(found) >= count:
            break
    return found[:count]


def first_images(classifiers: Sequence[Classifier], images: ImageSet) -> list[int]:
    """Return the indices of the images to explain unless others are asked for: lost ones, else the first of the set."""
    return lost_images(classifiers, images, SHOWN) or list(range(min(SHOWN, len(images))))


def explain_side_by_side(
    classifiers: Sequence[Classifier],
    images: ImageSet,
    indices: Sequence[int],
    *,
    target: Target = "dense",
    progress: Callable[[float, float, str], None] | None = None,
    **options: Any,
) -> list[Row]:
    """Explain images for every model with the same superpixels and perturbations.

    Args:
        classifiers: the models, dense first.
        images: labelled images.
        indices: which of them.
        target: the explained class: that of the `dense` model for all, each model's `own`, or the `label`.
        progress: told after every explanation.
        options: of `lime.explain`.

    Raises:
        DataError: an index that is none, or an image with fewer than two superpixels.
        InputError: a model that cannot be used.
    """
    for index in indices:
        if not 0 <= index < len(images):
            raise DataError(f"Expected an image from 0 to {len(images) - 1} of {images.source}, but got {index}.")
    check_models(classifiers, images_to_show(images), None, reads=["probabilities"])
    rows: list[Row] = []
    for index in indices:
        image, label = images.read([index])[0], int(images.required_labels()[index])
        predictions, explanations = {}, {}
        for classifier in classifiers:
            with classifier.prepared():
                predictions[classifier.name] = int(predict(classifier, image[None], 1).argmax())
        for number, classifier in enumerate(classifiers):
            asked = {"dense": predictions[classifiers[0].name], "own": predictions[classifier.name], "label": label}
            explanations[classifier.name] = explain(classifier, image, target=asked[target], image_id=index, **options)
            if progress is not None:
                done = len(rows) * len(classifiers) + number + 1
                progress(done, len(indices) * len(classifiers), f"Explaining image {index}")
        rows.append(Row(index, image, label, predictions, explanations))
    return rows


def figure(rows: Sequence[Row], classes: Sequence[str] = ()) -> Figure:
    """Return the pictures: one row per image, the image first, then every model's heat map on a common scale.

    Args:
        rows: what `explain_side_by_side` returned, at least one.
        classes: class names in label order; numbers where there are none.
    """

    def named(label: int) -> str:
        return shortened(classes[label], 40) if label < len(classes) else f"class {label}"

    def draw(place: str, ax: Axes) -> None:
        position, _, model = place.partition("/")
        row = rows[int(position)]
        if not model:
            explanation(row.image.numpy(), ax=ax, title=f"image {row.index}\n{named(row.label)}\n")
            return
        found = row.explanations[model]
        limit = max(float(np.abs(other.coefficients).max()) for other in row.explanations.values())
        answer = "right" if row.predictions[model] == row.label else "wrong"
        title = (
            f"{shortened(model, 30)}\nsays {named(row.predictions[model])} ({answer})\n"
            f"P({named(found.target)}) = {found.probability:.2f}, R² = {found.fidelity_r2:.2f}"
        )
        explanation(row.image.numpy(), found.heat_map, ax, limit=limit, title=title)

    models = list(rows[0].explanations)
    places = [f"{position}/{model}" for position in range(len(rows)) for model in ("", *models)]
    return panels(draw, places, width=2.6, height=2.9, columns=1 + len(models))
