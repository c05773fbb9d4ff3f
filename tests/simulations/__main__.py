"""`python -m tests.simulations`: one table of error rates, of every kind of interval, by images and correlation."""

import argparse
from collections.abc import Iterator
from itertools import chain

import numpy as np

from .paired import MARGIN, newcombe, percentile, rates, tango
from .populations import POPULATIONS, sce
from .sampled import sampled_rates
from .stopping import Stopping, of_population, of_shares
from .trainings import METHODS, PAIRS, SHARED, SPREADS, method_rates

DIFFERING = (0.01, 0.02, 0.05, 0.1)
"""Shares of images that only one model gets right."""
TIES = (0.5, 0.9, 0.98)
CLASSES = (10, 100)
METHOD_IMAGES = 300


def exact_rows() -> Iterator[tuple[str, ...]]:
    """Shares of images: the bootstrap as it was, Newcombe's method 10 at three accuracies, and the score interval."""
    for name, method, accuracy in (
        ("accuracy, bootstrap", percentile, None),
        *((f"accuracy {share}, Newcombe", newcombe, share) for share in (0.5, 0.7, 0.95)),
        ("accuracy, score", tango, None),
    ):
        for n in (20, 100, 400, 1000):
            for differing in DIFFERING:
                if (method is percentile and n > 400) or (accuracy and accuracy + (differing + MARGIN) / 2 > 1):
                    continue
                at, equal = (rates(method, n, differing, gap, accuracy) for gap in (-MARGIN, 0.0))
                yield _row(name, n, f"{differing:.0%} differ", at.coverage, equal.coverage, at.passes, equal.fails)


def sampled_rows(samples: int, sizes: list[int]) -> Iterator[tuple[str, ...]]:
    """The other kinds, on populations that are made up: before, and as they are judged now."""
    for name, make in POPULATIONS.items():
        for tie in TIES:
            margin = make(0.0, tie, np.random.default_rng(1)).metric.margin
            populations = [make(gap, tie, np.random.default_rng(1)) for gap in (margin, 0.0)]
            for n in sizes:
                for when in ("before", "now"):
                    at, equal = (sampled_rates(each, n, samples, before=when == "before") for each in populations)
                    yield _row(f"{name}, {when}", n, f"r = {tie}", at.coverage, equal.coverage, at.passes, equal.fails)
    for classes in CLASSES:
        for scale in (1.0, 1.15):
            populations = [sce(gap, classes, scale, np.random.default_rng(1)) for gap in (0.02, 0.0)]
            for n in sizes:
                at, equal = (sampled_rates(each, n, samples) for each in populations)
                about = f"K = {classes}, logits × {scale}"
                yield _row("sce, now", n, about, at.coverage, equal.coverage, at.passes, equal.fails)


def stopping_rows(samples: int, sizes: list[int]) -> Iterator[tuple[str, ...]]:
    """Errors at the margin where one stops as soon as it is decided, and what is used at 0 and at four margins."""
    for n in sizes:
        for differing in DIFFERING:
            at, equal, worse = (of_shares(n, max(differing, -gap), gap, 20 * samples) for gap in (-MARGIN, 0.0, -0.04))
            yield _stopped_row("accuracy, stopping", n, f"{differing:.0%} differ", at, equal, worse)
    for name in (name for name in POPULATIONS if name != "composition"):
        for tie in TIES:
            margin = POPULATIONS[name](0.0, tie, np.random.default_rng(1)).metric.margin
            populations = [POPULATIONS[name](gap * margin, tie, np.random.default_rng(1)) for gap in (1, 0, 4)]
            for n in sizes:
                at, equal, worse = (of_population(each, n, samples) for each in populations)
                yield _stopped_row(f"{name}, stopping", n, f"r = {tie}", at, equal, worse)


def _stopped_row(name: str, n: int, about: str, at: Stopping, equal: Stopping, worse: Stopping) -> tuple[str, ...]:
    return _row(name, n, about, at.passes, at.fails, at.all_pass, at.all_fail, equal.used, worse.used)


def method_rows(samples: int, n: int) -> Iterator[tuple[str, ...]]:
    """Methods of three and five pairs, by how far trainings differ, in standard errors of one pair over images."""
    for name, (make, margin) in METHODS.items():
        for shared in SHARED:
            for spread in SPREADS:
                populations = [make(shared, spread, n, gap) for gap in (margin, 0.0)]
                for pairs in PAIRS:
                    at, equal = (method_rates(each, pairs, n, samples) for each in populations)
                    about = f"{pairs} pairs, spread {spread}, {shared:.0%} shared"
                    yield _row(f"{name}, method", n, about, at.coverage, equal.coverage, at.passes, equal.fails)


def _row(name: str, n: int, about: str, *shares: float) -> tuple[str, ...]:
    return (name, str(n), about, *(f"{share:.1%}" for share in shares))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000, help="of every population (default: 1000)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 100, 300, 1000], help="units in a sample")
    parser.add_argument("--exact", action="store_true", help="only what is summed exactly")
    parser.add_argument("--stopping", action="store_true", help="only evaluations that stop where it is decided")
    parser.add_argument("--methods", action="store_true", help="only methods of several pairs, on the first of --sizes")
    options = parser.parse_args()
    if options.stopping:
        print("| metric | n | models | false pass | false fail | all: pass | fail | units used at 0 | at 4 margins |")
        for row in stopping_rows(options.samples, options.sizes):
            print(f"| {' | '.join(row)} |", flush=True)
        return
    print("| metric | n | models | coverage at −margin | at 0 | false pass at −margin | false fail at 0 |")
    print("|---|---|---|---|---|---|---|")
    kinds: list[Iterator[tuple[str, ...]]] = [] if options.methods else [exact_rows()]
    if not options.exact:
        kinds += [] if options.methods else [sampled_rows(options.samples, options.sizes)]
        kinds.append(method_rows(options.samples, options.sizes[0] if options.methods else METHOD_IMAGES))
    for row in chain.from_iterable(kinds):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
