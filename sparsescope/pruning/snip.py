"""SNIP: keep the connections that the loss depends on most, before training."""

import torch

from sparsescope.pruning.subject import BatchNorm, Scores, Subject

__all__ = ["snip"]


def snip(subject: Subject, *, batch_norm: BatchNorm = "batch") -> Scores:
    """Score |g * w|, the size of the derivative of the loss in a factor c = 1 on each weight.

    g is the gradient of the mean cross-entropy over all images given; the paper takes one batch. The paper divides the
    scores by their sum, which changes no order. Source: Lee et al. 2019, equation 6.

    Args:
        subject: the network and the images it may look at.
        batch_norm: normalise by the statistics of each `"batch"`, as the common PyTorch code does, or by the
            `"running"` ones, as the authors' TensorFlow code does.
    """
    subject.use_batch_norm(batch_norm)
    sums = {name: torch.zeros_like(weight) for name, weight in subject.weights.items()}
    n = 0
    for batch in subject.batches():
        loss = subject.summed_loss(batch)
        gradients = torch.autograd.grad(loss, list(subject.weights.values()), materialize_grads=True)
        for total, gradient in zip(sums.values(), gradients, strict=True):
            total += gradient
        n += len(batch[0])
    subject.count_backward(n)
    return {name: (sums[name] / n * weight.detach()).abs() for name, weight in subject.weights.items()}
