"""LAMP as a stranger would write it: what tests register in the catalogue, and copy to a file of the user's."""

import torch


def lamp(module, batches):
    """Score w² over the sum of all squares of the layer that are at least as large (Lee et al. 2021)."""
    scores = {}
    for name, weight in module.named_parameters():
        squares, order = weight.detach().double().flatten().square().sort()
        at_least_as_large = squares.flip(0).cumsum(0).flip(0)
        scores[name] = torch.zeros_like(squares).scatter(0, order, squares / at_least_as_large).view_as(weight)
    return scores
