"""Dissection: what concepts the units of a network respond to (NetDissect, compositional explanations). Usable alone.

Catalogue:
    dissect              one layer of a model, and a probe set -> formulas, IoUs, per-image counts
    Dissection, Unit     what it found
    DissectionSettings   layer, fraction above the threshold, length, search, null, held_out
    Formula, Operator    concepts joined by OR, AND, AND NOT
    store_concepts       a probe set's packed concepts, to serve several models
    portraits, Portrait  the images that units respond to most, with where they fire and where their formulas hold
"""

from sparsescope.dissection.concepts import ConceptStore, store_concepts
from sparsescope.dissection.engine import dissect
from sparsescope.dissection.formula import Formula, Operator
from sparsescope.dissection.portraits import Portrait, portraits
from sparsescope.dissection.result import Dissection, Unit
from sparsescope.dissection.settings import DissectionSettings

__all__ = [
    "ConceptStore",
    "Dissection",
    "DissectionSettings",
    "Formula",
    "Operator",
    "Portrait",
    "Unit",
    "dissect",
    "portraits",
    "store_concepts",
]
