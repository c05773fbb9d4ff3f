"""Slow, literal float64 versions of the curvature and FGSM formulas, by full Hessians."""

import copy

import numpy as np
import torch
from torch.nn import functional


def doubled(classifier):
    """Return a copy of a classifier in float64 and eval mode."""
    twin = copy.deepcopy(classifier)
    twin.module.double().eval()
    return twin


def input_hessian(classifier, image, label):
    """Return ∇²_x L (D, D) of the cross-entropy of one image (C, H, W), in pixel units."""
    twin = doubled(classifier)

    def loss(pixels):
        return functional.cross_entropy(twin(pixels.reshape(1, *image.shape)), torch.tensor([int(label)]))

    return torch.autograd.functional.hessian(loss, image.double().flatten()).numpy()


def weight_hessian(classifier, images, labels):
    """Return ∇²_θ L of the mean cross-entropy over the entries of all parameters that the mask keeps, and that choice.

    Returns: the Hessian (S, S), and the indices (S,) of its rows among all parameter entries.
    """
    twin = doubled(classifier)
    parameters = {name: p.detach() for name, p in twin.module.named_parameters()}
    mask = classifier.mask
    kept = torch.cat([mask[n].flatten() if n in mask else torch.ones(p.numel()).bool() for n, p in parameters.items()])
    start = torch.cat([p.flatten() for p in parameters.values()])
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, -1, 1, 1) for v in (classifier.mean, classifier.std))

    def loss(survivors):
        flat = start.masked_scatter(kept, survivors)
        parts = torch.split(flat, [p.numel() for p in parameters.values()])
        weights = {n: part.reshape(p.shape) for part, (n, p) in zip(parts, parameters.items(), strict=True)}
        logits = torch.func.functional_call(twin.module, weights, ((images.double() - mean) / std,))
        return functional.cross_entropy(logits, torch.as_tensor(labels))

    return torch.autograd.functional.hessian(loss, start[kept]).numpy(), np.flatnonzero(kept.numpy())


def fgsm(classifier, images, labels, epsilon):
    """Return clip(x + ε sign ∇_x CE(f(x), y), 0, 1), image by image in float64."""
    twin, adversarial = doubled(classifier), []
    for image, label in zip(images.double(), labels, strict=True):
        pixels = image.unsqueeze(0).requires_grad_()
        functional.cross_entropy(twin(pixels), torch.tensor([int(label)])).backward()
        adversarial.append((pixels.detach() + epsilon * pixels.grad.sign()).clamp(0, 1))
    return torch.cat(adversarial)


def batch_input_eigenvalue(classifier, images, labels, rounds=2000):
    """Return what power iteration finds: an eigenvalue of ∇² of a batch's mean loss, in all its pixels at once."""
    twin, pixels = doubled(classifier), images.double().requires_grad_()
    loss = functional.cross_entropy(twin(pixels), torch.as_tensor(labels))
    (gradient,) = torch.autograd.grad(loss, pixels, create_graph=True)
    vector = torch.randn(pixels.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for _ in range(rounds):
        vector = vector / vector.norm()
        (product,) = torch.autograd.grad(gradient, pixels, vector, retain_graph=True)
        eigenvalue, vector = float((product * vector).sum()), product
    return eigenvalue
