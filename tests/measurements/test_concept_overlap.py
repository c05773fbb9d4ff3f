"""The measurement behind composition: one for both models, all images at once, formulas beside the per-image counts."""

import dataclasses

import numpy as np
import pytest
from array_probe import ArrayProbe, random_masks

from sparsescope.errors import NotEvaluated
from sparsescope.evaluation.cache import Cache, measurement_key
from sparsescope.evaluation.plan import Shard, make_plan
from sparsescope.identity import Identity
from sparsescope.measurements import concept_overlap
from sparsescope.measurements.base import run
from sparsescope.measurements.concept_overlap import ConceptOverlap
from sparsescope.metrics.composition import Composition
from sparsescope.results import Pairs


@pytest.fixture
def benchmark(small_benchmark):
    rng = np.random.default_rng(0)
    probe = ArrayProbe(rng.random((12, 3, 8, 8)), random_masks(rng, 5, 12, 10, 10))
    return dataclasses.replace(small_benchmark, probe=probe)


def test_arrays(small_classifier, benchmark):
    arrays = run(ConceptOverlap(), small_classifier, benchmark)
    assert arrays.keys() == {"intersection", "union"} | ConceptOverlap.common
    for name in ("intersection", "union"):
        assert (arrays[name].shape, arrays[name].dtype) == ((12, 8), np.int32)
    assert (arrays["intersection"] <= arrays["union"]).all() and (arrays["union"] <= 100).all()
    for name in ConceptOverlap.common - {"layer"}:
        assert arrays[name].shape == (8,)
    assert str(arrays["layer"]) == "4"
    live = ~arrays["dead"]
    ratio = arrays["intersection"].sum(axis=0)[live] / arrays["union"].sum(axis=0)[live]
    np.testing.assert_array_equal(ratio, arrays["iou"][live])


def test_needs_a_probe_set_and_reads_nothing_else(benchmark, small_benchmark):
    measurement = ConceptOverlap()
    with pytest.raises(NotEvaluated, match=r"^no probe set$"):
        measurement.unit_ids(small_benchmark, 0)
    np.testing.assert_array_equal(measurement.unit_ids(benchmark, 0), np.arange(12))
    assert measurement.population == "probe"
    assert benchmark.fingerprint != small_benchmark.fingerprint
    key = measurement_key(measurement, benchmark, 0, [Identity("model")])
    assert key == measurement_key(measurement, dataclasses.replace(benchmark, train=None), 0, [Identity("model")])
    images = benchmark.probe.images.copy()
    images[3, 0, 0, 0] = 1 - images[3, 0, 0, 0]
    other = dataclasses.replace(benchmark, probe=ArrayProbe(images, benchmark.probe.masks))
    assert key != measurement_key(measurement, other, 0, [Identity("model")])
    assert key != measurement_key(ConceptOverlap(length=2), benchmark, 0, [Identity("model")])


def test_is_planned_in_one_piece(benchmark):
    plan = make_plan([Composition(), Composition()], benchmark, 0, Pairs.of_one_dense(["dense", "sparse"]))
    (task,) = plan.tasks
    small = dataclasses.replace(task, shard_cost=1e-6)
    (shard,) = small.shards()
    np.testing.assert_array_equal(shard.rows, np.arange(12))


def test_the_concepts_are_packed_once_for_all_models(small_classifier, benchmark, monkeypatch):
    packed = []
    store_concepts = concept_overlap.store_concepts
    monkeypatch.setattr(concept_overlap, "store_concepts", lambda probe: packed.append(1) or store_concepts(probe))
    measurement = ConceptOverlap(fraction=0.05)
    shown = measurement.prepare(benchmark, np.arange(12), 0)
    with small_classifier.prepared():
        one, two = (measurement.measure(small_classifier, shown, {}, size) for size in (12, 5))
    assert len(packed) == 1
    assert list(one["formula"]) == list(two["formula"])


def test_round_trip_through_the_cache(small_classifier, benchmark, tmp_path):
    arrays = run(ConceptOverlap(), small_classifier, benchmark)
    cache = Cache(tmp_path)
    shard = Shard(0, np.arange(12), np.arange(12))
    cache.store("ab12", shard, arrays)
    loaded = cache.load("ab12", shard, ConceptOverlap.common)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)
    assert cache.load("ab12", shard) is None  # without knowing what is common, its length is wrong
