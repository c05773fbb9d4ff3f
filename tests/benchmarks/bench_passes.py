"""What forward-only work takes with freed memory kept and through the prepacked network, beside what it took before.

    python -m tests.benchmarks passes

ResNet-20 on 32 px images and EfficientNet-Lite0 on 224 px images (random weights: they decide no time), end to end:
clean predictions, corruptions and LIME as `evaluate` measures them, corrupting and regressions included. Each way has a
process of its own, since memory is kept for good; they take turns, one thread each, process CPU time. Target: >= 1.5 in
all, logits to 1e-5 of their spread. As measured (torch 2.14, a busy server): 1.28 to 1.29 and 1.80 to 2.16. Building takes
0.4 and 0.9 s, and the first in a process 1.4 s more, as torch's exporter is imported.

Keeping memory alone gave 1.0 and, as the heap happened to lie, 1.0 or 1.19: a fresh process that only forwards batches
was up to 1.65 times as slow without it in some runs, with 4,500 page faults an image, and as fast in others.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation.forward_only import agrees
from sparsescope.measurements.base import Measurement
from sparsescope.measurements.corrupted_predictions import CorruptedPredictions
from sparsescope.measurements.explanations import Explanations
from sparsescope.measurements.predictions import Predictions
from sparsescope.memory import KEEP_MEMORY
from sparsescope.prepacked import PrepackedNetwork
from tests.benchmarks.harness import Options, Row

WAYS = {"before": (False, False), "memory kept": (True, False), "prepacked": (True, True)}
"""Whether memory is kept, and the prepacked network used."""
PARTS = ("clean predictions", "corruptions", "LIME")
BUILDING = "building it, once"


def resnet20() -> nn.Module:
    from sparsescope.architectures.cifar_resnet import resnet20s

    return resnet20s()


def lite0() -> nn.Module:
    import timm

    return timm.create_model("tf_efficientnet_lite0")


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, int, int, int]] = {
    "resnet20": (resnet20, 32, 16, 400, 500),
    "lite0": (lite0, 224, 4, 24, 40),
}
"""Network, side of the images, batch size, images, and samples of LIME."""


def photographs(n: int, side: int) -> np.ndarray:
    """Return smooth random images uint8 (n, side, side, 3)."""
    coarse = torch.rand(n, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.interpolate(coarse, size=side, mode="bicubic").clamp(0, 1)
    return (smooth * 255).byte().numpy().transpose(0, 2, 3, 1)


def parts(name: str, prepacked: bool) -> Iterator[tuple[str, float]]:
    """Yield, for ever, each part's name and process CPU time, building what is built once first."""
    make, side, batch, n, samples = NETWORKS[name]
    torch.manual_seed(0)
    images = photographs(n, side)
    benchmark = Benchmark("smooth", ArrayImages(images, np.arange(n) % 10))
    measurements: tuple[Measurement, ...] = (
        Predictions(),
        CorruptedPredictions(cells_per_image=4),
        Explanations(samples=samples, images=4, target="own"),
    )
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        classifier = stack.enter_context(Classifier(make(), mean=(0.5,) * 3, std=(0.25,) * 3).prepared())
        if prepacked:
            network = PrepackedNetwork(classifier.module, classifier.reader, (3, side, side))
            start = time.process_time()
            assert agrees(classifier, network, benchmark.test.read(np.arange(17)))
            yield BUILDING, time.process_time() - start
            stack.enter_context(classifier.answering(network))
        else:
            yield BUILDING, 0.0
        while True:
            for part, measurement in zip(PARTS, measurements, strict=True):
                start = time.process_time()
                ids = measurement.unit_ids(benchmark, 0)
                measurement.measure(classifier, measurement.prepare(benchmark, ids, 0), {}, batch)
                yield part, time.process_time() - start


def serve(name: str, way: str, pipe: Connection) -> None:
    """Answer each request with the next part's time."""
    kept, prepacked = WAYS[way]
    os.environ[KEEP_MEMORY] = str(int(kept))
    torch.set_num_threads(1)
    for each in parts(name, prepacked):
        if not pipe.recv():
            return
        pipe.send(each)


def medians(name: str, repeats: int) -> dict[str, dict[str, float]]:
    """Return, each way, the ratio of every part to the first way's, and the seconds of building."""
    context, pipes = multiprocessing.get_context("spawn"), dict[str, Connection]()
    for way in WAYS:
        pipes[way], theirs = context.Pipe()
        context.Process(target=serve, args=(name, way, theirs), daemon=True).start()
    times: dict[str, dict[str, list[float]]] = {way: {} for way in WAYS}
    for _ in range(1 + len(PARTS) * (repeats + 1)):
        for way, pipe in pipes.items():
            pipe.send(True)
            part, spent = pipe.recv()
            times[way].setdefault(part, []).append(spent)
    for pipe in pipes.values():
        pipe.send(False)
    found = {
        way: {part: np.array(rows[part][1:]) for part in PARTS} for way, rows in times.items()
    }  # the first warms up
    for rows in found.values():
        rows["all"] = sum(rows.values())
    ratios = {
        way: {part: float(np.median(found["before"][part] / spent)) for part, spent in rows.items()}
        for way, rows in found.items()
    }
    return {way: {**ratios[way], BUILDING: times[way][BUILDING][0]} for way in WAYS}


def rows(options: Options) -> Iterator[Row]:
    """Yield how many times as fast forward-only work is, end to end."""
    for name in NETWORKS if options.device == "cpu" else ():
        found = medians(name, options.repeats)
        yield Row(f"{name}, memory kept", "as torch does it, times as long", found["memory kept"]["all"])
        for part in PARTS:
            yield Row(f"{part} of {name}, prepacked", "as torch does it, times as long", found["prepacked"][part])
        whole = found["prepacked"]["all"]
        yield Row(f"forward-only work of {name}, prepacked", "as torch does it, times as long", whole, ">=", 1.5)
