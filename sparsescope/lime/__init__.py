"""LIME, batched: local linear explanations of image classifiers, their fidelity and their stability. Usable alone.

Catalogue:
    explain          one image -> heat map
    explain_images   many images -> coefficients, fidelity, stability, with full forward batches
    LimeSettings     samples, pivots, alpha, kernel width, distance, fill, superpixels
    segment          superpixels of an image
"""

from sparsescope.lime.engine import Fitted, explain_images
from sparsescope.lime.explain import Explanation, explain
from sparsescope.lime.neighbourhood import Shown
from sparsescope.lime.settings import LimeSettings
from sparsescope.lime.superpixels import segment

__all__ = ["Explanation", "Fitted", "LimeSettings", "Shown", "explain", "explain_images", "segment"]
