"""Dissection's cost as ratios to a literal search, and how it grows: `python tests/benchmarks/bench_dissection.py`.

500 images with label maps of 112 px, 60 concepts in three layers (an object map, a colour map, whole-image scenes), one
thread, process CPU time. Targets: searching >= 30 times faster per unit than the literal rewrite of the reference, and
>= 25 times all in (forward passes, thresholds, masks and packing of the concepts included); linear in units and images.
The exact search of a whole layer, which proves its formulas the best, takes <= 3 times as long as the beam search.
The rewrite evaluates every formula on whole boolean arrays; the published code, on run lengths, was not measured.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1] / "references"))

from array_probe import ArrayProbe
from reference_compositional import explain

from sparsescope.classifier import Classifier
from sparsescope.dissection import DissectionSettings, dissect, store_concepts
from sparsescope.dissection.activations import activations as layer_maps
from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.engine import _masks as masks_of
from sparsescope.dissection.packing import pack
from sparsescope.dissection.search import search
from sparsescope.dissection.searches import find
from sparsescope.dissection.settings import SEARCHES
from sparsescope.dissection.unit_mask import Covered, UnitMask

OBJECTS, COLOURS, SCENES, SIZE = 35, 11, 14, 112


class Scenes(ArrayProbe):
    """Smooth random label maps, made one image at a time, so that thousands of images fit in memory."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        self.coarse = rng.random((n, 3, 16, 16)).astype(np.float32)
        self.scenes = rng.integers(0, SCENES, n)
        super().__init__(self.coarse, np.zeros((OBJECTS + COLOURS + SCENES, n, 0, 0), dtype=bool))
        self.label_shape = (SIZE, SIZE)

    def labels(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        fine = functional.interpolate(torch.from_numpy(self.coarse[index][None]), SIZE, mode="bicubic")[0].numpy()
        # Each image shows the objects of its scene, so that most concepts are absent from most images.
        objects = (self.scenes[index] + (fine[0].clip(0, 0.999) * 8).astype(int)) % OBJECTS
        colours = OBJECTS + (fine[1].clip(0, 0.999) * COLOURS).astype(int)
        maps = {label: grid == label for grid in (objects, colours) for label in np.unique(grid)}
        maps[OBJECTS + COLOURS + self.scenes[index]] = np.ones((SIZE, SIZE), dtype=bool)
        ids = np.array(sorted(maps), dtype=np.int64)
        return ids, np.stack([maps[label] for label in ids])


def network(width: int) -> Classifier:
    """A small random network whose layer `2` has `width` units on an 8 x 8 map."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU())
    return Classifier(nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)))


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return the process CPU time of one call, and what it returned."""
    start = time.process_time()
    result = action()
    return time.process_time() - start, result


def activations(probe: Scenes, classifier: Classifier) -> torch.Tensor:
    """Return the activation maps (n, units, 8, 8) of the whole layer."""
    with torch.no_grad(), classifier.prepared():
        return classifier.module[:3](probe.read(range(len(probe))))


def unit_masks(maps: torch.Tensor, units: int) -> list[np.ndarray]:
    """Return the masks (n, 112, 112) of the first units, by the definition."""
    masks = []
    for k in range(units):
        threshold = torch.sort(maps[:, k].flatten()).values[-int(0.005 * maps[:, k].numel()) - 1]
        masks.append((functional.interpolate(maps[:, k : k + 1], SIZE, mode="bilinear")[:, 0] > threshold).numpy())
    return masks


def compare_searches(probe: Scenes, classifier: Classifier) -> None:
    """Print what proving the formulas of all 64 units costs, and what it gains."""
    store = store_concepts(probe)
    with classifier.prepared():
        maps = layer_maps(classifier, probe, "2")
    masks = [mask for _, _, mask, _ in masks_of(maps, 0.005, store.label_shape) if len(mask.words)]
    seconds, found = {}, {}
    for name in SEARCHES:
        areas, chosen = FormulaAreas(store), DissectionSettings(search=name)
        seconds[name], found[name] = timed(
            lambda areas=areas, chosen=chosen: [find(areas, Covered(store, mask), chosen) for mask in masks]
        )
    exact, beam = found["exact"], found["beam"]
    better = sum(one.iou > other.iou for one, other in zip(exact, beam, strict=True))
    means = [statistics.mean(one.iou for one in results) for results in (exact, beam)]
    unproven = sum(one.bound > one.iou for one in exact)
    print(
        f"exact search / beam search {seconds['exact'] / seconds['beam']:4.1f}   (target <= 3)   better formulas for "
        f"{better} of {len(masks)} units, mean IoU {means[0]:.4f} for {means[1]:.4f}, {unproven} not proven"
    )


def main() -> None:
    """Print each ratio beside its target, then the slopes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--units", type=int, default=3, help="units that the literal rewrite explains")
    parser.add_argument("--largest", type=int, default=2000, help="images of the larger run")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    probe, classifier = Scenes(arguments.images), network(64)
    store = store_concepts(probe)
    concepts = np.zeros((len(probe.concepts), len(probe), SIZE, SIZE), dtype=bool)
    for image in range(len(probe)):
        ids, masks = probe.labels(image)
        concepts[ids, image] = masks
    literal, ours = [], []
    forward, maps = timed(lambda: activations(probe, classifier))
    masking, units = timed(lambda: unit_masks(maps, arguments.units))
    # One forward pass serves all units of the layer, on both sides.
    others = masking / arguments.units + forward / maps.shape[1]
    for unit in units:
        packed = UnitMask.from_images(np.arange(len(unit)), pack(unit))
        slow, (formula, iou, _, _) = timed(lambda unit=unit: explain(unit, concepts))
        runs = [timed(lambda packed=packed: search(FormulaAreas(store), Covered(store, packed))) for _ in range(5)]
        literal.append(slow)
        ours.append(statistics.median(run for run, _ in runs))
        found = runs[0][1]
        assert ((found.formula[0], tuple(map(str, found.formula[1]))), found.iou) == (formula, iou)
    everything = (
        timed(
            lambda: dissect(
                classifier, probe, "2", settings=DissectionSettings(null=False, held_out=False, search="beam")
            )
        )[0]
        / 64
    )
    one, mine = statistics.median(literal), statistics.median(ours)
    print(f"{arguments.images} images, {len(probe.concepts)} concepts; literal search {one:.2f} s per unit")
    print(f"search, per unit         {one / mine:6.0f} x   (target 30)   {1e3 * mine:.2f} ms")
    print(f"all in, per unit of 64   {(one + others) / everything:6.0f} x   (target 25)   {1e3 * everything:.2f} ms")
    compare_searches(probe, classifier)
    sizes = (arguments.largest // 4, arguments.largest // 2, arguments.largest)
    for images, width in [(sizes[0], 64), (sizes[1], 64), (sizes[2], 64), (sizes[0], 128), (sizes[0], 256)]:
        data, model = Scenes(images), network(width)
        packing, packed_concepts = timed(lambda data=data: store_concepts(data))
        spent, _ = timed(lambda m=model, d=data, s=packed_concepts: dissect(m, d, "2", store=s))
        each, stored = 1e6 * spent / images / width, packed_concepts.words.nbytes / images / 1e3
        print(
            f"{images:6d} images x {width:4d} units: {spent:6.2f} s with null, {each:5.1f} us per image and unit; "
            f"concepts {packing:5.2f} s, {stored:.0f} kB an image"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
