"""Pruning: from a network to a Mask. One method, one file; scores are separate from masking.

Catalogue:
    omp  one-shot global magnitude pruning
"""

from sparsescope.pruning.omp import omp

__all__ = ["omp"]
