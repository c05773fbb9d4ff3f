"""Pruning: from a network to a Mask. One method, one file; scores are separate from masking.

`CATALOGUE` lists the methods with all that is said of them; a new scoring method is one file and one entry there. Other
packages add theirs by an entry point of the group `"sparsescope.pruning_methods"`, `NAME = "package.module:function"`.

    prune, score      a mask, or the scores, by any scoring method or function: global, layerwise, erk or N:M; with or
                      without head and first layer; within an existing mask
    lth               iterative magnitude pruning with rewinding in your own loop, a generator of tickets
    RigL              sparse training in your own loop, instead of optimizer.step()
    channel_mask, remove_channels     L1 norm of filters, and a smaller network without them

Public names are resolved on first use, so reading the catalogue does not import torch.
"""

from typing import TYPE_CHECKING

from sparsescope.lazy import lazy
from sparsescope.pruning.catalogue import CATALOGUE, find, help_lines, names
from sparsescope.pruning.method import Method

if TYPE_CHECKING:
    from sparsescope.pruning.channels import channel_mask, remove_channels
    from sparsescope.pruning.iterative import Ticket, lth
    from sparsescope.pruning.methods import prune, score
    from sparsescope.pruning.rigl import RigL
    from sparsescope.pruning.subject import Scores, Subject

__all__ = [
    "CATALOGUE",
    "Method",
    "RigL",
    "Scores",
    "Subject",
    "Ticket",
    "channel_mask",
    "find",
    "help_lines",
    "lth",
    "names",
    "prune",
    "remove_channels",
    "score",
]

_HOMES = {
    "RigL": "rigl",
    "Scores": "subject",
    "Subject": "subject",
    "Ticket": "iterative",
    "channel_mask": "channels",
    "lth": "iterative",
    "prune": "methods",
    "remove_channels": "channels",
    "score": "methods",
}

__getattr__, __dir__ = lazy(__name__, _HOMES)
