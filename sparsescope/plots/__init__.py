"""Plots: an evaluation in, Axes out. They compute nothing and touch no global state of matplotlib.

Plots:
    radar             normalised values of all models, outward is better
    differences       every metric's difference as a multiple of its margin: the picture of the verdict
    reliability       accuracy by confidence of one model
    sparsity          sparsity by layer of one candidate
    corruption_table  error rates of one model, corruption × severity
    under_shift       error, ECE, SCE or NLL of all models by severity
    explanation       one image under its heat map (arrays in, not an evaluation)
    attack_curve      accuracy of all models against the size of an adversarial step
    iou_distribution  how well formulas describe the units of a layer (IoUs in)
    category_shares   what kinds of concepts they are (shares in)
    portrait          one image with the outlines of a neuron and its formula (arrays in)

Each accepts `ax=None` and then makes its own figure. `panels` puts several beside each other.
"""

from sparsescope.plots.attack_curve import attack_curve
from sparsescope.plots.category_shares import category_shares
from sparsescope.plots.corruption_table import corruption_table
from sparsescope.plots.differences import differences
from sparsescope.plots.explanation import explanation
from sparsescope.plots.iou_distribution import iou_distribution
from sparsescope.plots.panels import panels
from sparsescope.plots.portrait import portrait
from sparsescope.plots.radar import radar, save_radar
from sparsescope.plots.reliability import reliability
from sparsescope.plots.sparsity import sparsity
from sparsescope.plots.style import png, svg
from sparsescope.plots.under_shift import under_shift

__all__ = [
    "attack_curve",
    "category_shares",
    "corruption_table",
    "differences",
    "explanation",
    "iou_distribution",
    "panels",
    "png",
    "portrait",
    "radar",
    "reliability",
    "save_radar",
    "sparsity",
    "svg",
    "under_shift",
]
