"""Architectures by specification: a name of `BUILT_IN`, or a form of `LIBRARIES`.

A new architecture is one file and one line in `BUILT_IN` (`catalogue.py`). Its function takes `num_classes` and
`in_channels`, both with defaults; a constant `PREPROCESSING` beside it says how its images are normalized. Another
package's networks are a function `(name) -> Architecture` and a line in `LIBRARIES`. Importing this package imports no
torch.
"""

from typing import TYPE_CHECKING

from sparsescope.architectures.architecture import Architecture
from sparsescope.architectures.catalogue import BUILT_IN, LIBRARIES
from sparsescope.architectures.records import Published, published, record_of
from sparsescope.architectures.spec import is_known_code, resolve
from sparsescope.lazy import lazy
from sparsescope.preprocessing import IMAGENET, Preprocessing

if TYPE_CHECKING:
    from sparsescope.architectures.matching import Comparison, fitting_options, match

__all__ = [
    "BUILT_IN",
    "IMAGENET",
    "LIBRARIES",
    "Architecture",
    "Comparison",
    "Preprocessing",
    "Published",
    "fitting_options",
    "is_known_code",
    "match",
    "published",
    "record_of",
    "resolve",
]

_HOMES = {"Comparison": "matching", "fitting_options": "matching", "match": "matching"}

__getattr__, __dir__ = lazy(__name__, _HOMES)
