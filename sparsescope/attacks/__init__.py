"""Adversarial attacks in pixel space, usable alone; no pixel moves by more than ε, and none leaves [0, 1].

Attacks:
    fgsm         one step along the sign of the loss gradient (Goodfellow et al. 2015), also from a random start
    pgd          several projected steps from random starts (Madry et al. 2018)
    autoattack   AutoAttack "standard" (Croce & Hein 2020) through the extra `attacks`, one image at a time

Each takes (classifier, images, labels, epsilon) with images in [0, 1] and returns adversarial images. Whatever is
random is keyed by (seed, image id): an image gets the same draws in every batch. `gradient_signs` is the direction that
`fgsm` and `pgd` step along; it leaves out the factor 1 - p_y, whose rounding makes confident models look robust.
"""

from sparsescope.attacks.autoattack import autoattack
from sparsescope.attacks.fgsm import fgsm
from sparsescope.attacks.gradients import Loss, gradient_signs
from sparsescope.attacks.pgd import Pgd, pgd

__all__ = ["Loss", "Pgd", "autoattack", "fgsm", "gradient_signs", "pgd"]
