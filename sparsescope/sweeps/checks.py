"""What is tried on the networks of a sweep before hours of training go into them."""

from dataclasses import replace

from sparsescope.benchmark import Benchmark
from sparsescope.evaluation.checks import grey_answers
from sparsescope.sweeps.plan import evaluation_plan
from sparsescope.sweeps.recipe import SweepRecipe
from sparsescope.sweeps.workshop import Workshop

__all__ = ["check_networks"]


def check_networks(recipe: SweepRecipe, benchmark: Benchmark, workshop: Workshop) -> None:
    """Build the networks of a sweep, as training begins with them, and show them an image.

    Args:
        recipe: the sweep.
        benchmark: its data.
        workshop: of one of its seeds.

    Raises:
        InputError: a network cannot be built, does not take the images, has too few outputs for the labels, or lacks a
            layer that a metric is to look at.
    """
    plan = evaluation_plan(recipe, benchmark)
    for spec in (recipe.architecture, recipe.small):
        if spec is not None:
            classifier = replace(replace(workshop, architecture=spec).initial(), name=spec)
            with classifier.prepared():
                benchmark.check_labels(grey_answers(classifier, benchmark.test.shape).shape[1])
            plan.check(classifier)
