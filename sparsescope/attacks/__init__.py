"""Adversarial attacks in pixel space, usable alone: `fgsm` (one step of size ε along the sign of the loss gradient)."""

from sparsescope.attacks.fgsm import Loss, fgsm, gradient_signs, step

__all__ = ["Loss", "fgsm", "gradient_signs", "step"]
