"""Training of dense networks and of tickets under their masks.

    train                     one run: epochs, checkpoints, exact resume, mixed precision, several processes
    Recipe, load_recipe       how to train; `recipe_names()` lists those of the package: cifar, imagenet
    RunFolder                 where a run is kept, and goes on after an interruption
    StepHook, FixedMask       what may act on the weights around every step
    Epoch, Progress           what a run tells of itself
    TensorBoard               an `on_epoch` that writes event files

A new recipe is one TOML file in `recipes/`.
"""

from sparsescope.training.engine import Precision
from sparsescope.training.folder import RunFolder
from sparsescope.training.history import Epoch, Progress
from sparsescope.training.hooks import FixedMask, StepHook
from sparsescope.training.loop import train
from sparsescope.training.recipe import Recipe, load_recipe, recipe_names
from sparsescope.training.tensorboard import TensorBoard

__all__ = [
    "Epoch",
    "FixedMask",
    "Precision",
    "Progress",
    "Recipe",
    "RunFolder",
    "StepHook",
    "TensorBoard",
    "load_recipe",
    "recipe_names",
    "train",
]
