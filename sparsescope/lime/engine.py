"""Explanations of many images: full forward batches, then the regressions of each image solved together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsescope.classifier import Classifier
from sparsescope.lime import regression
from sparsescope.lime.neighbourhood import Neighbourhood, Shown, forwarded, is_explainable
from sparsescope.lime.perturbations import distances, draw_pivots, kernel
from sparsescope.lime.settings import LimeSettings
from sparsescope.units import FloatArray

__all__ = ["Fitted", "explain_images", "fit"]


@dataclass(frozen=True)
class Fitted:
    """The local linear model of one image and what is read off it.

    Args:
        target: the explained class.
        coefficients: e(x) (d,): what each superpixel adds to the probability. The intercept is no part of e(x).
        intercept: what the linear model gives with every superpixel removed.
        probability: probability of the class for the unperturbed image.
        fidelity: mean squared error of the linear model over the neighbourhood.
        fidelity_r2: its scale-free twin; 0 where `constant`.
        stability: mean squared distance of e(x) to the refits around the pivots.
        stability_relative: its scale-free twin; 0 where `constant`.
        constant: probabilities or coefficients do not move, so there is nothing to scale by.
        singular: one of the regressions had no unique solution and took the one of least norm.
    """

    target: int
    coefficients: FloatArray
    intercept: float
    probability: float
    fidelity: float
    fidelity_r2: float
    stability: float
    stability_relative: float
    constant: bool
    singular: bool


def explain_images(
    classifier: Classifier,
    shown: Sequence[Shown],
    settings: LimeSettings,
    *,
    targets: Sequence[int] | NDArray[np.int64] | None = None,
    seed: int = 0,
    batch_size: int = 32,
) -> Iterator[Fitted | None]:
    """Explain images one after the other, with exactly `settings.samples` forward passes each.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        shown: the images, all of one shape.
        settings: how they are perturbed and fitted.
        targets: explained class of each image; None: the class the model itself gives the unperturbed image (the lowest
            index wins ties).
        seed: key of all random numbers.
        batch_size: images per forward pass; changes speed and memory, never a number (but for float rounding).

    Yields:
        the fit of each image in turn; None, without any forward pass, where it has fewer than 2 superpixels, or none
        that removal changes.

    Raises:
        InputError: a class the model does not have, or logits that are not finite.
    """
    finished = forwarded(
        classifier,
        (
            Neighbourhood(item, settings, seed, None if targets is None else int(targets[k]), classifier.device)
            for k, item in enumerate(shown)
            if is_explainable(item, settings.fill)
        ),
        batch_size,
    )
    for item in shown:
        if not is_explainable(item, settings.fill):
            yield None
        else:
            pivots = draw_pivots(settings.samples, settings.pivots, seed, item.image_id)
            yield fit(next(finished), pivots, settings)


def fit(neighbourhood: Neighbourhood, pivots: NDArray[np.int64], settings: LimeSettings) -> Fitted:
    """Fit the linear models of one neighbourhood: around row 0 and around every pivot.

    Rows and probabilities stay, only the weights change, so refitting needs no forward pass.

    Args:
        neighbourhood: with its probabilities complete.
        pivots: rows (J,) to refit around.
        settings: distance, kernel width and alpha.
    """
    assert neighbourhood.target is not None  # known since row 0 came in
    z, y = neighbourhood.kept.astype(np.float64), neighbourhood.probabilities
    centres = np.concatenate([[0], pivots])
    weights = kernel(distances(neighbourhood.kept, centres, settings.distance), settings.kernel_width)
    fits = regression.weighted_ridge(z, y, weights, settings.alpha)
    explanation, refits = fits.coefficients[0], fits.coefficients[1:]
    predicted = z @ explanation + fits.intercepts[0]
    constant = regression.is_constant(y, weights[0]) or explanation @ explanation == 0
    return Fitted(
        target=neighbourhood.target,
        coefficients=explanation,
        intercept=float(fits.intercepts[0]),
        probability=float(y[0]),
        fidelity=regression.fidelity(y, predicted),
        fidelity_r2=0.0 if constant else regression.fidelity_r2(y, predicted, weights[0]),
        stability=regression.stability(explanation, refits),
        stability_relative=0.0 if constant else regression.stability_relative(explanation, refits),
        constant=bool(constant),
        singular=bool(fits.singular.any()),
    )
