"""What is tried before hours of training go into a sweep: its networks and its folder."""

from dataclasses import replace
from pathlib import Path

from sparsescope.benchmark import Benchmark
from sparsescope.errors import InputError
from sparsescope.evaluation.checks import check_models, images_to_show
from sparsescope.sweeps.plan import evaluation_plan
from sparsescope.sweeps.recipe import SweepRecipe
from sparsescope.sweeps.workshop import Workshop

__all__ = ["check_networks", "make_folder"]


def check_networks(recipe: SweepRecipe, benchmark: Benchmark, workshop: Workshop) -> None:
    """Build the networks of a sweep, as training begins with them, and show them some images.

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
            shown = check_models([classifier], images_to_show(benchmark.test), None, reads=())
            benchmark.check_labels(shown[spec].logits.shape[1])
            plan.check(classifier)


def make_folder(folder: Path) -> None:
    """Make the folder of a sweep; InputError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made a folder: {error.strerror}. Choose another place.") from error
