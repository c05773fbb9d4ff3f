"""Curvature of the cross-entropy, in the images and in the surviving weights; usable alone.

Catalogue:
    linearity  whether a network is piecewise linear in its images, and linear in each layer's weights
    inputs     trace and top eigenvalue of each image's Hessian ∇²_x L
    weights    quadratic forms, trace estimates and products of the Hessian ∇²_θ L in the surviving weights
    refusals   gradients that say nothing
    lanczos    the largest eigenvalue of symmetric matrices known by their products
"""

from sparsescope.curvature.inputs import InputCurvatures, input_curvatures
from sparsescope.curvature.lanczos import Extremes, top_eigenvalue, top_eigenvalues
from sparsescope.curvature.linearity import is_layerwise_linear, is_piecewise_linear
from sparsescope.curvature.refusals import (
    refuse_hidden_second_derivatives,
    refuse_straight_through,
    require_weight_gradient,
)
from sparsescope.curvature.weights import Support, gauss_newton_forms, hessian_forms, hessian_product, surviving_weights

__all__ = [
    "Extremes",
    "InputCurvatures",
    "Support",
    "gauss_newton_forms",
    "hessian_forms",
    "hessian_product",
    "input_curvatures",
    "is_layerwise_linear",
    "is_piecewise_linear",
    "refuse_hidden_second_derivatives",
    "refuse_straight_through",
    "require_weight_gradient",
    "surviving_weights",
    "top_eigenvalue",
    "top_eigenvalues",
]
