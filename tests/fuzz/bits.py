"""Every bit of the headers of real cache files, flipped: each is a miss, none another number.

    python -m tests.fuzz.bits [--every N]

Headers are all that is not a number: what tells a part, its digest, the archive's own headers and list, and what each
array says of its shape and type. The bits of the numbers themselves are tried at random.
"""

import argparse
import io
import random
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "references"))

from tiny_task import write_task

from sparsescope import evaluate
from sparsescope.evaluation.parts import _DIGEST, _MAGIC, Part, find_parts

_START = len(_MAGIC) + _DIGEST
METRICS = (
    "accuracy",
    "generalization_gap",
    "ood_auroc",
    "fgsm_accuracy",
    "corruption_error",
    "fidelity",
    "weight_trace",
)


def main() -> int:
    """Flip bits in all parts of an evaluation, and print how many were misses; exit code 1 if any was read."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.bits")
    parser.add_argument("--every", type=int, default=1, help="flip every n-th bit of the headers alone")
    every = parser.parse_args().every
    flipped = read = parts = 0
    with tempfile.TemporaryDirectory() as folder:
        for part in make_parts(Path(folder)):
            content, parts = part.path.read_bytes(), parts + 1
            for bit in (*header_bits(content, every), *data_bits(content, 1000 // every)):
                flipped += 1
                read += part.decoded(with_flipped(content, bit)) is not None
    print(f"{flipped:,} bits flipped in {parts} parts, {flipped - read:,} misses, {read} read")
    return int(read > 0)


def make_parts(folder: Path, metrics: tuple[str, ...] = METRICS) -> Iterator[Part]:
    """Yield the parts that an evaluation leaves in the cache; all of them are sound."""
    write_task(folder, images=12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluate(
            str(folder / "dense.pt"),
            str(folder / "sparse.pt"),
            f"npz:{folder}/test.npz",
            train=f"npz:{folder}/train.npz",
            arch="digits_cnn_small",
            metrics=metrics,
            options={"fidelity": {"images": 4, "samples": 40, "superpixels": "grid"}},
            preset="quick",
            device="cpu",
            cache=folder / "cache",
        )
    for part in find_parts(folder / "cache"):
        assert part.is_sound()
        yield part


def header_bits(content: bytes, every: int = 1) -> Iterator[int]:
    """Yield the numbers of the bits of a part that are not numbers of an array."""
    payload = io.BytesIO(content[_START:])
    bits = list(range(8 * _START))
    with zipfile.ZipFile(payload) as archive:
        for member in archive.infolist():
            start = member.header_offset
            sizes = content[_START + start + 26 : _START + start + 30]
            data = start + 30 + int.from_bytes(sizes[:2], "little") + int.from_bytes(sizes[2:], "little")
            array = content[_START + data :]
            end = data + 10 + int.from_bytes(array[8:10], "little")  # of an npy header, version 1
            bits += range(8 * (_START + start), 8 * (_START + end))
        bits += range(8 * (_START + archive.start_dir), 8 * len(content))
    yield from bits[::every]


def data_bits(content: bytes, count: int) -> Iterator[int]:
    """Yield the numbers of some bits, drawn from all."""
    yield from random.Random(0).sample(range(8 * len(content)), count)


def with_flipped(content: bytes, bit: int) -> bytes:
    """Return the content with one bit flipped."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


if __name__ == "__main__":
    sys.exit(main())
