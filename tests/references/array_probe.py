"""A probe set held in arrays."""

import hashlib

import numpy as np
import torch

from sparsescope.benchmark import Concept, ProbeSet


class ArrayProbe(ProbeSet):
    """Images float32 (n, C, H, W) in [0, 1] and masks bool (concepts, n, h, w)."""

    def __init__(self, images, masks, names=None):
        self.images, self.masks = np.asarray(images, dtype=np.float32), masks
        self.source = "array"
        self.shape, self.label_shape = self.images.shape[1:], masks.shape[2:]
        names = names or [f"c{index}" for index in range(len(masks))]
        self.concepts = tuple(Concept(name, "even" if index % 2 == 0 else "odd") for index, name in enumerate(names))

    def __len__(self):
        return len(self.images)

    def read(self, indices):
        return torch.from_numpy(self.images[np.asarray(indices, dtype=np.int64)])

    def labels(self, index):
        there = np.flatnonzero(self.masks[:, index].any(axis=(1, 2)))
        return there, self.masks[there, index]

    @property
    def fingerprint(self):
        digest = hashlib.sha256(repr((self.images.shape, self.masks.shape, self.concepts)).encode())
        digest.update(self.images.tobytes() + self.masks.tobytes())
        return digest.hexdigest()


def probe_of(masks, names=None):
    """A probe set whose images do not matter."""
    return ArrayProbe(np.zeros((masks.shape[1], 3, 8, 8)), masks, names)


def random_masks(rng, concepts, images, height, width):
    """Masks with disjoint, equal, complementary, empty and whole-image concepts: many ties, many bounds that meet."""
    masks = rng.random((concepts, images, height, width)) < rng.choice([0.05, 0.3, 0.6])
    if rng.random() < 0.5:
        masks &= (rng.random((concepts, images)) < 0.5)[:, :, None, None]
    kind = rng.integers(4)
    if kind == 0 and concepts > 2:
        masks[1], masks[2] = masks[0], ~masks[0]
    elif kind == 1:
        labels = rng.integers(0, concepts + 1, (images, height, width))
        masks = labels[None] == np.arange(concepts)[:, None, None, None]
    elif kind == 2:
        masks[-1] = (rng.random(images) < 0.5)[:, None, None]
    return masks


def random_unit(rng, masks):
    """A unit's mask that follows one of the concepts more or less."""
    noise = rng.random(masks.shape[1:])
    return (masks[rng.integers(len(masks))] | (noise < 0.2)) & (rng.random(masks.shape[1:]) < rng.choice([0.1, 0.5, 1]))
