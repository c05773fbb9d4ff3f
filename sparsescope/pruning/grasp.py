"""GraSP: keep the connections that the gradient flow after pruning needs, before training."""

import contextlib
from collections.abc import Iterator, Sequence
from math import inf

import torch
from torch import Tensor, nn

from sparsescope.classifier import Classifier
from sparsescope.curvature.derivatives import twice_differentiable
from sparsescope.errors import InputError, NotEvaluated, OptionError
from sparsescope.mask import head_weights, weight_tensors
from sparsescope.pruning.subject import Batch, BatchNorm, Scores, Subject

__all__ = ["grasp"]


def grasp(
    subject: Subject, *, temperature: float = 200.0, batch_norm: BatchNorm = "batch", score_head: bool = True
) -> Scores:
    """Score w * (H g): what of the squared gradient norm is lost, to first order, with each weight.

    Removing w changes g'g by -2 w (H g). The paper's score is -w * (H g), and both paper and authors' code remove the
    weights where it is *highest*: those whose removal raises the gradient flow. Here higher is kept, so the sign is the
    opposite and the mask the same. It is no absolute value: a weight may be kept for its sign alone.

    g and H are those of the mean cross-entropy of logits / temperature over all images given (the authors: 10 or 25 of
    each class), in the weights of all convolutions and linear layers, by default with the head, whether or not it may
    be removed. The batches are kept in memory and each is used twice.

    Source: Wang et al. 2020, section 4 and algorithm 2.

    Args:
        subject: the network and the images it may look at.
        temperature: divides the logits; 200 in the paper.
        batch_norm: normalise by the statistics of each `"batch"`, as the authors do, or by the `"running"` ones.
        score_head: whether g and H include the head's weights, as in the authors' code; without them they are those of
            the weights that may be removed, as in codes that leave the head out altogether. A head that may be removed
            is always among them.

    Raises:
        OptionError: temperature not positive and finite.
        InputError: an operation of the network has no second derivative.
    """
    if not (isinstance(temperature, int | float) and 0 < temperature < inf):
        raise OptionError(f"Expected a temperature above 0, but got {temperature!r}.")
    subject.use_batch_norm(batch_norm)
    batches = list(subject.batches())
    n = sum(len(images) for images, _ in batches)
    weights = list(_scored(subject, score_head).values())
    gradient = [torch.zeros_like(weight) for weight in weights]
    for batch in batches:
        for total, part in zip(gradient, _gradient(subject, batch, temperature, n, weights), strict=True):
            total += part
    products = {name: torch.zeros_like(weight) for name, weight in subject.weights.items()}
    for batch in batches:
        with _second_derivatives(subject):
            parts = _gradient(subject, batch, temperature, n, weights, create_graph=True)
            inner = sum(((g * part).sum() for g, part in zip(gradient, parts, strict=True)), start=torch.tensor(0.0))
            if not inner.requires_grad:  # the gradient does not depend on the weights: H = 0
                continue
            hessian_gradient = torch.autograd.grad(inner, list(subject.weights.values()), materialize_grads=True)
        for total, part in zip(products.values(), hessian_gradient, strict=True):
            total += part
    subject.count_backward(3 * n)
    return {name: weight.detach() * products[name] for name, weight in subject.weights.items()}


@contextlib.contextmanager
def _second_derivatives(subject: Subject) -> Iterator[None]:
    """Run a block that differentiates twice, as all curvature is computed: attention on its plain kernel."""
    model = subject.model
    try:
        with twice_differentiable(model if isinstance(model, Classifier) else Classifier(model, name="the network")):
            yield
    except NotEvaluated as error:
        raise InputError(f"GraSP differentiates twice, but {error}. Choose another method, such as snip.") from error


def _scored(subject: Subject, head: bool) -> dict[str, nn.Parameter]:
    """Return the weights that gradient and Hessian are taken in."""
    every = weight_tensors(subject.module)
    heads = set(head_weights(subject.module))
    if head or heads & subject.weights.keys():
        return every
    return {name: weight for name, weight in every.items() if name not in heads}


def _gradient(
    subject: Subject,
    batch: Batch,
    temperature: float,
    n: int,
    weights: Sequence[nn.Parameter],
    *,
    create_graph: bool = False,
) -> tuple[Tensor, ...]:
    """Return this batch's part of the gradient of the mean loss over all n images."""
    loss = subject.summed_loss(batch, temperature) / n
    return torch.autograd.grad(loss, weights, create_graph=create_graph, materialize_grads=True)
