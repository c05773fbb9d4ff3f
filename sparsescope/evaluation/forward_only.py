"""Which models answer forward-only work from a prepacked network, and what that adds to the key of a cached result."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.evaluation.plan import Task
from sparsescope.identity import Fingerprint, Identity
from sparsescope.prepacked import NotCapturedError, PrepackedNetwork, is_candidate

__all__ = ["AGREEMENT", "agrees", "identities_of", "prepacked_networks"]

AGREEMENT = 1e-5
"""Share of the spread of logits by which the prepacked network's may differ from the network's own."""
_FEW = 3
"""Images in the small batches of the comparison."""


def prepacked_networks(
    classifiers: Sequence[Classifier], tasks: Iterable[Task], images: Tensor, device: str
) -> dict[str, PrepackedNetwork]:
    """Return, by the models' names, the prepacked networks that answer in their place where no gradient is asked for.

    None where no measurement would use them. Which models are tried is a rule (`prepacked.is_candidate`), and whether
    one is used is decided on fixed images, so that a rerun decides alike; no time is measured.

    Args:
        classifiers: the models, after `evaluation.checks`.
        tasks: what is measured.
        images: (n, C, H, W), which are shown to network and model.
        device: where the models compute.
    """
    found: dict[str, PrepackedNetwork] = {}
    if device != "cpu" or not any(task.measurement.forward_only for task in tasks):
        return found
    for classifier in classifiers:
        if is_candidate(classifier.module) and not classifier.changes_itself:
            network = PrepackedNetwork(classifier.module, classifier.reader, tuple(images.shape[1:]))
            if agrees(classifier, network, images):
                found[classifier.name] = network
    return found


def agrees(classifier: Classifier, network: PrepackedNetwork, images: Tensor) -> bool:
    """Return whether a prepacked network gives the model's logits, in a batch of all images, in small ones, and alone.

    They may differ by 1e-5 of the spread: the largest distance of a logit from the mean of its image.
    """
    with classifier.prepared(), torch.inference_mode():
        own = classifier(images)
        try:
            with classifier.answering(network):
                batches = [images], torch.split(images, _FEW), [images[:1]]
                answers = [torch.cat([classifier(batch) for batch in each]) for each in batches]
        except NotCapturedError:
            return False
    spread = (own - own.mean(dim=1, keepdim=True)).abs().max()
    return all(bool(((answer - own[: len(answer)]).abs() <= AGREEMENT * spread).all()) for answer in answers)


def identities_of(
    identities: Mapping[str, Identity], task: Task, networks: Mapping[str, PrepackedNetwork]
) -> dict[str, Identity]:
    """Return the models' identities as a task's numbers depend on them: with the kind of pass that it goes through.

    A measurement that reads the dense model's forward-only results depends on how those were made.
    """
    reads = {task.dense} if any(needed.forward_only for needed in task.measurement.requires()) else set()
    if task.measurement.forward_only:
        reads.update(task.models)
    return {
        name: _with_kind(identity, networks[name]) if name in reads and name in networks else identity
        for name, identity in identities.items()
    }


def _with_kind(identity: Identity, network: PrepackedNetwork) -> Identity:
    found = Fingerprint()
    found.add(identity.digest, network.KIND, network.VERSION)
    return Identity(found.identity.digest, identity.unread)
