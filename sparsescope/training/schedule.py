"""The learning rate of every step: a pure function, so that a resumed run needs no state of it."""

import math

from sparsescope.training.recipe import Recipe

__all__ = ["learning_rate"]


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of one step.

    With the warm-up of W steps out of T: in it, peak x (step + 1) / W; after it, `"step"` gives peak x decay^m with m
    the milestones reached, `"cosine"` gives peak x (1 + cos(pi (step - W) / (T - W))) / 2 (Loshchilov & Hutter 2017).

    Args:
        recipe: peak and schedule.
        step: steps since the start of training, from 0.
        steps_per_epoch: steps in an epoch.

    Example:
        >>> from sparsescope.training import load_recipe
        >>> from sparsescope.training.schedule import learning_rate
        >>> recipe = load_recipe("cifar", epochs=10, warmup_epochs=0, schedule="cosine", milestones=())
        >>> [round(learning_rate(recipe, 5 * epoch, steps_per_epoch=5), 4) for epoch in (0, 5, 9)]
        [0.1, 0.05, 0.0024]
    """
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    if recipe.schedule == "step":
        reached = sum(step >= epoch * steps_per_epoch for epoch in recipe.milestones)
        return recipe.learning_rate * recipe.decay**reached
    progress = (step - warmup) / (recipe.epochs * steps_per_epoch - warmup)
    return recipe.learning_rate * (1 + math.cos(math.pi * progress)) / 2
