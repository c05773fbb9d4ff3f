"""Pruning: from a network to a Mask. One method, one file; scores are separate from masking.

Catalogue, for `prune(method, model, batches, sparsity)` and `score`:
    omp      one-shot magnitude: |w|                                      (omp.py)
    random   uniform random scores                                        (random_scores.py)
    snip     |g * w| before training                                      (snip.py)
    grasp    w * Hg, gradient flow before training                        (grasp.py)
    synflow  synaptic flow in 100 steps, without data                     (synflow.py)
    n_m      magnitude, N of every M inputs                               (n_m.py)
Of each of these: scope global, layerwise, erk or N:M; with or without head and first layer; within an existing mask.

With training, in your own loop:
    lth      iterative magnitude pruning with rewinding, a generator of tickets           (lth.py)
    RigL     sparse training that drops and grows weights, instead of optimizer.step()    (rigl.py)

Structured:
    channel_mask, remove_channels   L1 norm of filters, and a smaller network without them    (channels.py)
"""

from sparsescope.pruning.channels import channel_mask, remove_channels
from sparsescope.pruning.lth import Ticket, lth
from sparsescope.pruning.methods import METHODS, Method, prune, score
from sparsescope.pruning.omp import omp
from sparsescope.pruning.rigl import RigL
from sparsescope.pruning.subject import Scores, Subject

__all__ = [
    "METHODS",
    "Method",
    "RigL",
    "Scores",
    "Subject",
    "Ticket",
    "channel_mask",
    "lth",
    "omp",
    "prune",
    "remove_channels",
    "score",
]
