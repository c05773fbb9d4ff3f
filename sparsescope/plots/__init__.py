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

Plots of a sweep, from its `curves.SweepSummary`:
    sweep_curves        one metric of every method along the sparsities; `sweep_panels` has those of a dimension
    extreme_sparsities  methods × metrics: how far each passes
    pass_ranges         where every metric passes, by method
    twin_comparison     tickets beside a small dense network with as many parameters

Each accepts `ax=None` and then makes its own figure. `panels` puts several beside each other.
"""

from sparsescope.plots.attack_curve import attack_curve
from sparsescope.plots.category_shares import category_shares
from sparsescope.plots.corruption_table import corruption_table
from sparsescope.plots.differences import differences
from sparsescope.plots.explanation import explanation
from sparsescope.plots.extreme_sparsities import extreme_sparsities
from sparsescope.plots.iou_distribution import iou_distribution
from sparsescope.plots.panels import panels
from sparsescope.plots.pass_ranges import pass_ranges
from sparsescope.plots.portrait import portrait
from sparsescope.plots.radar import radar, radar_files, save_radar
from sparsescope.plots.reliability import reliability
from sparsescope.plots.sparsity import sparsity
from sparsescope.plots.style import png, svg
from sparsescope.plots.sweep_curves import sweep_curves, sweep_panels
from sparsescope.plots.twin_comparison import twin_comparison
from sparsescope.plots.under_shift import under_shift

__all__ = [
    "attack_curve",
    "category_shares",
    "corruption_table",
    "differences",
    "explanation",
    "extreme_sparsities",
    "iou_distribution",
    "panels",
    "pass_ranges",
    "png",
    "portrait",
    "radar",
    "radar_files",
    "reliability",
    "save_radar",
    "sparsity",
    "svg",
    "sweep_curves",
    "sweep_panels",
    "twin_comparison",
    "under_shift",
]
