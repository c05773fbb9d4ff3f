"""Architectures by specification: a name of `BUILT_IN`, or a form of `LIBRARIES`.

A new architecture is one file and one line in `BUILT_IN` (`catalogue.py`). Its function takes `num_classes` and
`in_channels`, both with defaults; a constant `PREPROCESSING` beside it says how its images are normalized. Another
package's networks are a function `(name) -> Architecture` and a line in `LIBRARIES`. Importing this package imports no
torch.
"""

from typing import TYPE_CHECKING, Any

from sparsescope.architectures.architecture import Architecture
from sparsescope.architectures.catalogue import BUILT_IN, LIBRARIES
from sparsescope.architectures.preprocessing import IMAGENET, Preprocessing
from sparsescope.architectures.spec import is_known_code, resolve

if TYPE_CHECKING:
    from sparsescope.architectures.matching import Comparison, fitting_options, match

__all__ = [
    "BUILT_IN",
    "IMAGENET",
    "LIBRARIES",
    "Architecture",
    "Comparison",
    "Preprocessing",
    "fitting_options",
    "is_known_code",
    "match",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name in ("Comparison", "fitting_options", "match"):
        from sparsescope.architectures import matching

        return getattr(matching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
