"""What forward-only work takes with freed memory kept and through the prepacked network, beside what it took before.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_passes.py [--repeats 5] [--networks resnet20 lite0]

ResNet-20 on 32 px images and EfficientNet-Lite0 on 224 px images (random weights: they decide no time), end to end:
clean predictions, corruptions and LIME as `evaluate` measures them, corrupting and regressions included. Each way has a
process of its own, since memory is kept for good; they take turns, one thread each, process CPU time. Target: >= 1.5 in
all, logits to 1e-5 of their spread. As measured (torch 2.14, a busy server):

    PLACEHOLDER
"""

import argparse
import multiprocessing
import os
import statistics
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

WAYS = {"before": (False, False), "memory kept": (True, False), "and prepacked": (True, True)}
"""Whether memory is kept, and the prepacked network used."""


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
    measurements: dict[str, Measurement] = {
        "clean": Predictions(),
        "corruptions": CorruptedPredictions(cells_per_image=4),
        "LIME": Explanations(samples=samples, images=4, target="own"),
    }
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        classifier = stack.enter_context(Classifier(make(), mean=(0.5,) * 3, std=(0.25,) * 3).prepared())
        if prepacked:
            network = PrepackedNetwork(classifier.module, classifier.reader, (3, side, side))
            start = time.process_time()
            assert agrees(classifier, network, benchmark.test.read(np.arange(17)))
            yield "building it, once", time.process_time() - start
            stack.enter_context(classifier.answering(network))
        else:
            yield "building it, once", 0.0
        while True:
            for part, measurement in measurements.items():
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
        pipe.recv()
        pipe.send(each)


def compare(name: str, repeats: int) -> None:
    """Print seconds of every part, each way, and ratios to the first."""
    context, pipes = multiprocessing.get_context("spawn"), {}
    for way in WAYS:
        pipes[way], theirs = context.Pipe()
        context.Process(target=serve, args=(name, way, theirs), daemon=True).start()
    times: dict[str, dict[str, list[float]]] = {way: {} for way in WAYS}
    for _ in range(1 + 3 * (repeats + 1)):
        for way, pipe in pipes.items():
            pipe.send(None)
            part, seconds = pipe.recv()
            times[way].setdefault(part, []).append(seconds)
    print(f"{name:18s}" + "".join(f"{way:>22s}" for way in WAYS))
    found = {
        way: {part: np.array(row[1:] or row) for part, row in rows.items()} for way, rows in times.items()
    }  # the first round warms up
    for rows in found.values():
        rows["all"] = rows["clean"] + rows["corruptions"] + rows["LIME"]
    for part in found["before"]:
        cells = []
        for rows in found.values():
            ratio = "" if "once" in part else f" x {statistics.median(found['before'][part] / rows[part]):.2f}"
            cells.append(f"{statistics.median(rows[part]):.2f} s{ratio}")
        print(f"  {part:16s}" + "".join(f"{cell:>22s}" for cell in cells))


def main() -> None:
    """Compare the ways for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments = parser.parse_args()
    for name in arguments.networks:
        compare(name, arguments.repeats)


if __name__ == "__main__":
    main()
