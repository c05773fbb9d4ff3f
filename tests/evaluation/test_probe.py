"""The probe set of an evaluation: asked for, held by the benchmark, or embedded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import OptionError
from sparsescope.evaluation import evaluate


def test_a_benchmark_has_the_probe_set_it_holds_or_the_one_asked_for(
    benchmark: Benchmark, dense: Classifier, sparse: Classifier, settings: dict[str, Any]
) -> None:
    settings |= {"metrics": ["accuracy"]}
    without = evaluate(dense, sparse, replace(benchmark, probe=None), **settings)
    held = evaluate(dense, sparse, benchmark, **settings)
    probed = evaluate(dense, sparse, benchmark, probe="shapes", **settings)
    assert "probe" not in without.benchmark.sets
    assert held.benchmark.sets["probe"].source == "array"
    entry = probed.benchmark.sets["probe"]
    assert (entry.n, entry.shape, entry.source) == (400, (3, 16, 16), "shapes")
    assert probed.benchmark.fingerprint != without.benchmark.fingerprint
    assert probed["accuracy"] == without["accuracy"]
    with pytest.raises(OptionError, match=r"Unknown probe set 'brodn:x'\. Did you mean broden:DIR"):
        evaluate(dense, sparse, benchmark, probe="brodn:x", **settings)


def test_a_spec_has_the_embedded_one_in_the_test_images_shape(
    tmp_path: Path, benchmark: Benchmark, dense: Classifier, sparse: Classifier, settings: dict[str, Any]
) -> None:
    pixels = benchmark.test.read(np.arange(20)).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    np.savez(tmp_path / "data.npz", images=pixels, labels=benchmark.test.required_labels()[:20])
    settings |= {"metrics": ["accuracy"]}
    evaluation = evaluate(dense, sparse, f"npz:{tmp_path}/data.npz", **settings)
    assert evaluation.benchmark.sets["probe"].shape == (3, 16, 16)
    (tmp_path / "mine.py").write_text(
        "from sparsescope.datasets.probes.shapes import Shapes\ndef few(shape): return Shapes(shape, images=9)\n"
    )
    evaluation = evaluate(dense, sparse, f"npz:{tmp_path}/data.npz", probe=f"{tmp_path}/mine.py:few", **settings)
    assert evaluation.benchmark.sets["probe"].n == 9
