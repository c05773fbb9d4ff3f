"""Training of dense networks and of tickets under their masks."""

from sparsescope.training.loop import Epoch, Recipe, train

__all__ = ["Epoch", "Recipe", "train"]
