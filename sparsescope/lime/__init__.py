"""LIME, batched: local linear explanations of image classifiers, their fidelity and their stability. Usable alone.

Catalogue:
    explain          one image -> heat map
    explain_images   many images -> coefficients, fidelity, stability, with full forward batches
    LimeSettings     samples, pivots, alpha, kernel width, distance, fill, superpixels
    segment          superpixels of an image, by one of `SUPERPIXELS`

Importing this package imports no torch.
"""

from typing import TYPE_CHECKING

from sparsescope.lazy import lazy

if TYPE_CHECKING:
    from sparsescope.lime.engine import Fitted, explain_images
    from sparsescope.lime.explanation import Explanation, explain
    from sparsescope.lime.neighbourhood import Shown
    from sparsescope.lime.settings import LimeSettings
    from sparsescope.lime.superpixels import SUPERPIXELS, segment

__all__ = ["SUPERPIXELS", "Explanation", "Fitted", "LimeSettings", "Shown", "explain", "explain_images", "segment"]

_HOMES = {
    "SUPERPIXELS": "superpixels",
    "Explanation": "explanation",
    "Fitted": "engine",
    "LimeSettings": "settings",
    "Shown": "neighbourhood",
    "explain": "explanation",
    "explain_images": "engine",
    "segment": "superpixels",
}

__getattr__, __dir__ = lazy(__name__, _HOMES)
