"""Corruptions against the published formulas, rewritten one image at a time: milliseconds per image and their ratio.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_corruptions.py [--sizes 32 224] [--repeats 5]

One thread, process CPU time, the two sides in turn, medians of the repeats; each repeat runs all five severities. What
is made once per process (zoom's matrix, frost's textures) is made before the clock starts; the published scripts read
frost's texture anew for every image, and so does the rewrite. With `--frost FOLDER` both sides use the published
textures, else textures that we draw. Rows with a star say nothing about the scripts themselves: they call compiled
filters of OpenCV or ImageMagick there, which the rewrite writes out with numpy and scipy.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).parents[1] / "references"))
sys.path.insert(0, str(Path(__file__).parents[2]))
import reference_corruptions as reference

from sparsescope.corruptions import SEVERITIES, STANDARD, corrupt
from sparsescope.corruptions.tables import CIFAR, IMAGENET
from sparsescope.corruptions.textures import frost_textures

WRITTEN_OUT = ("defocus_blur", "motion_blur", "snow", "elastic_transform")
IMAGES = {32: (128, 4), 224: (6, 1)}  # ours, the rewrite's


def photographs(n: int, side: int) -> np.ndarray:
    """Return n smooth coloured images with some detail."""
    rng = np.random.default_rng(0)
    fields = gaussian_filter(rng.standard_normal((n, side, side, 3)), (0, side / 10, side / 10, 0.4))
    return np.clip(128 + 60 * fields / fields.std() + 10 * rng.standard_normal(fields.shape), 0, 255).astype(np.uint8)


def milliseconds(call: Callable[[], object], images: int) -> float:
    """Return the CPU time per image and severity."""
    start = time.process_time()
    call()
    return (time.process_time() - start) / (images * len(SEVERITIES)) * 1e3


def compare(name: str, side: int, folder: Path, repeats: int) -> tuple[float, float]:
    """Return the medians of the rewrite's time and ours."""
    many, few = IMAGES.get(side, (16, 1))
    images, table = photographs(many, side), CIFAR if side <= 64 else IMAGENET
    options = {"folder": folder} if name == "frost" else {}

    def ours() -> None:
        for severity in SEVERITIES:
            corrupt(images, name, severity, frost=folder)

    def rewrite() -> None:
        for severity in SEVERITIES:
            for image in images[:few]:
                reference.corrupted(name, image, table[name][severity - 1], np.random, **options)

    ours()
    rewrite()
    pairs = [(milliseconds(rewrite, few), milliseconds(ours, many)) for _ in range(repeats)]
    slow, fast = zip(*pairs, strict=True)
    return statistics.median(slow), statistics.median(fast)


def write_drawn_frost(folder: Path) -> None:
    """Store our own textures under the published names."""
    for number, texture in enumerate(frost_textures(None, 1, (224, 224)), start=1):
        Image.fromarray(texture).save(folder / f"frost{number}{'.png' if number < 4 else '.jpg'}")


def main() -> None:
    """Print one table per image size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 224])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frost", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.frost or Path(temporary)
        if arguments.frost is None:
            write_drawn_frost(folder)
        for side in arguments.sizes:
            print(f"\n{side} px            rewrite ms   ours ms    ratio")
            times = []
            for name in STANDARD:
                times.append(compare(name, side, folder, arguments.repeats))
                star = "*" if name in WRITTEN_OUT else ""
                print(f"{name + star:18s} {times[-1][0]:10.3f} {times[-1][1]:9.3f} {times[-1][0] / times[-1][1]:8.1f}")
            slow, fast = (sum(column) for column in zip(*times, strict=True))
            print(f"{'all 15':18s} {slow:10.3f} {fast:9.3f} {slow / fast:8.1f}")
            apart = {"glass_blur", *WRITTEN_OUT}
            others = [pair for name, pair in zip(STANDARD, times, strict=True) if name not in apart]
            slow, fast = (sum(column) for column in zip(*others, strict=True))
            print(f"{'no star, no glass':18s} {slow:10.3f} {fast:9.3f} {slow / fast:8.1f}")


if __name__ == "__main__":
    main()
