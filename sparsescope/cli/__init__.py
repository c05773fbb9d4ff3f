"""The command line: one file per command, no logic of its own.

Commands:
    evaluate    measure dense and sparse models, and judge
    prune       make a ticket by any method: train, prune, train again
    sweep       tickets by methods, sparsities and seeds, each evaluated against its dense parent
    inspect     what is in a model or mask file
    report      render evaluation.json again, or compare several
    explain     LIME heat maps of the same images, side by side
    dissect     what the units of a layer respond to
    corrupt     write corrupted copies of the test images, in the layout of CIFAR-10-C
    crosscheck  our engines beside netcal, lime, captum and PyHessian
    cache       size, verification and pruning of the cached results
    demo        train, prune, evaluate and report on embedded data
"""

from sparsescope.cli.group import main, sparsescope

__all__ = ["main", "sparsescope"]
