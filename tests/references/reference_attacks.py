"""Slow, literal float64 versions of the iterated attacks, one image and one step at a time."""

import torch
from reference_curvature import doubled
from torch.nn import functional


def margin(logits, label):
    """Return max_{j≠y} z_j - z_y of one image's logits (K,)."""
    wrong = [value for place, value in enumerate(logits) if place != label]
    return max(wrong) - logits[label]


def trajectory(classifier, image, label, start, epsilon, steps, step_size, loss="cross_entropy"):
    """Return x_0 … x_steps of x_{t+1} = clip(clip(x_t + α sign ∇L, x - ε, x + ε), 0, 1) for one image (C, H, W)."""
    twin, x = doubled(classifier), image.double()
    places = [start.double()]
    for _ in range(steps):
        pixels = places[-1].unsqueeze(0).requires_grad_()
        logits = twin(pixels)
        if loss == "margin":
            raised = margin(logits[0], int(label))
        else:
            raised = functional.cross_entropy(logits, torch.tensor([int(label)]))
        (gradient,) = torch.autograd.grad(raised, pixels)
        moved = pixels.detach()[0] + step_size * gradient[0].sign()
        moved = torch.min(torch.max(moved, x - epsilon), x + epsilon)
        places.append(moved.clamp(0, 1))
    return places


def pgd(classifier, image, label, start, epsilon, steps, step_size, loss="cross_entropy"):
    """Return the first place of the trajectory that the model gets wrong, else its last."""
    twin = doubled(classifier)
    places = trajectory(classifier, image, label, start, epsilon, steps, step_size, loss)
    for place in places:
        with torch.no_grad():
            if int(twin(place.unsqueeze(0)).argmax()) != int(label):
                return place
    return places[-1]
