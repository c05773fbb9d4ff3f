"""The whole road: from images to formulas, against a literal one."""

import numpy as np
import pytest
import torch
from array_probe import ArrayProbe
from PIL import Image
from reference_compositional import best_of_all, explain, held_out
from torch import nn

from sparsescope.classifier import Classifier
from sparsescope.dissection import DissectionSettings, dissect, engine, store_concepts
from sparsescope.dissection import packing as packing_module
from sparsescope.dissection.settings import SEARCHES
from sparsescope.errors import NotEvaluated, OptionError


@pytest.fixture
def probe():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 5, (30, 4, 4)).repeat(2, axis=1).repeat(2, axis=2)
    colours = rng.random((5, 3))
    images = colours[coarse].transpose(0, 3, 1, 2) * 0.9 + rng.random((30, 3, 8, 8)) * 0.1
    masks = coarse[None].repeat(2, axis=2).repeat(2, axis=3) == np.arange(5)[:, None, None, None]
    scene = np.broadcast_to((np.arange(30) % 3 == 0)[:, None, None], (1, 30, 16, 16))
    return ArrayProbe(images, np.concatenate([masks, scene]), ["sky", "road", "tree", "red", "blue", "street"])


OPTIONS = DissectionSettings(fraction=0.05)
IOUS = ("iou", "label_iou", "null_iou", "held_out_iou")


def same(one, two):
    assert [(u.formula, u.dead, u.label) for u in one.units] == [(u.formula, u.dead, u.label) for u in two.units]
    for name in IOUS:
        np.testing.assert_array_equal([getattr(u, name) for u in one.units], [getattr(u, name) for u in two.units])
    np.testing.assert_array_equal(one.intersection, two.intersection)
    np.testing.assert_array_equal(one.union, two.union)


LITERALLY = {"beam": lambda *case: explain(*case, 2)[0], "exact": lambda *case: best_of_all(*case, 2)[0]}


@pytest.mark.parametrize("search", SEARCHES)
def test_equals_the_literal_road(small_classifier, probe, search):
    result = dissect(small_classifier, probe, "1", settings=DissectionSettings(fraction=0.05, length=2, search=search))
    with torch.no_grad(), small_classifier.prepared():
        images = (probe.read(range(30)) - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / torch.tensor(
            [0.2, 0.25, 0.3]
        )[:, None, None]
        maps = small_classifier.module[:2](images).numpy()
    assert len(result.units) == maps.shape[1] == 6
    for k, unit in enumerate(result.units):
        threshold = np.quantile(maps[:, k], 0.95, method="inverted_cdf")
        assert unit.threshold == pytest.approx(threshold, rel=1e-5)
        resized = [np.asarray(Image.fromarray(m).resize((16, 16), Image.Resampling.BILINEAR)) for m in maps[:, k]]
        mask = np.stack(resized) > unit.threshold
        labels, operators = LITERALLY[search](mask, probe.masks)
        _, _, ((label,), _), label_iou = explain(mask, probe.masks)
        assert unit.formula.concepts == tuple(probe.concepts[i] for i in labels)
        assert tuple(map(str, unit.formula.operators)) == operators
        assert (unit.label, unit.label_iou) == (probe.concepts[label], label_iou)
        assert unit.held_out_iou == held_out(mask, probe.masks, LITERALLY[search])
        np.testing.assert_equal(unit.gap, 0 if search == "exact" else np.nan)
        holds = unit.formula.evaluate(dict(zip(probe.concepts, probe.masks, strict=True)))
        assert unit.iou == (mask & holds).sum() / (mask | holds).sum()
        np.testing.assert_array_equal(result.intersection[:, k], (mask & holds).sum(axis=(1, 2)))
        np.testing.assert_array_equal(result.union[:, k], (mask | holds).sum(axis=(1, 2)))


def test_batches_blocks_and_files_change_nothing(small_classifier, probe, monkeypatch):
    one = dissect(small_classifier, probe, settings=OPTIONS, batch_size=7)
    monkeypatch.setattr(engine, "BLOCK_BYTES", 1)
    monkeypatch.setattr(packing_module.Spool.__init__, "__defaults__", (100,))
    two = dissect(small_classifier, probe, settings=OPTIONS, batch_size=7)
    same(one, two)
    assert one.layer == "4"
    three = dissect(small_classifier, probe, settings=OPTIONS, batch_size=30)
    assert [u.formula for u in three.units] == [u.formula for u in one.units]


def test_passes_modes_and_progress(small_classifier, probe):
    told = []
    small_classifier.module.train()
    before = {name: value.clone() for name, value in small_classifier.module.state_dict().items()}
    dissect(small_classifier, probe, "4", settings=OPTIONS, batch_size=16, progress=lambda *step: told.append(step))
    assert small_classifier.passes.forward == 30
    assert all(module.training for module in small_classifier.module.modules())
    for name, value in small_classifier.module.state_dict().items():
        torch.testing.assert_close(value, before[name])
    assert told[:2] == [(16, 30, "images"), (30, 30, "images")]
    assert told[2:] == [(k + 1, 8, "units") for k in range(8)]


def test_dead_units_are_counted_not_averaged(small_classifier, probe):
    with torch.no_grad():
        small_classifier.module[3].weight[:3] = 0
        small_classifier.module[3].bias[:3] = torch.tensor([-1.0, 0.0, 0.37])
    result = dissect(small_classifier, probe, settings=OPTIONS)
    assert [unit.dead for unit in result.units[:4]] == [True, True, True, False]
    assert np.isnan([getattr(result.units[0], name) for name in IOUS]).all()
    assert result.units[0].formula is result.units[0].label is None
    assert not result.union[:, :3].any()
    assert result.mean_iou == np.mean([unit.iou for unit in result.units if not unit.dead])
    live = np.array([not unit.dead for unit in result.units])
    ratio = result.intersection.sum(axis=0)[live] / result.union.sum(axis=0)[live]
    np.testing.assert_array_equal(ratio, [unit.iou for unit in result.units if not unit.dead])
    rows = result.rows()
    assert list(rows[0]) == ["unit", "formula", "iou", "length", "label", "label_iou", "dead", "gap"]
    assert list(rows[0].values()) == [0, None, None, 0, None, None, True, None]
    assert rows[3]["formula"] == str(result.units[3].formula) and rows[3]["label"] == result.units[3].label.name


def test_all_dead(small_classifier, probe):
    with torch.no_grad():
        small_classifier.module[3].weight.zero_()
    assert np.isnan(dissect(small_classifier, probe).mean_iou)


def test_a_unit_that_knows_a_concept_beats_its_null(probe):
    """A linear read-out of one colour finds it; on shuffled images the same masks find much less."""
    network = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    pixels = probe.images.transpose(0, 2, 3, 1)
    colours = np.stack([pixels[mask[:, ::2, ::2]].mean(axis=0) for mask in probe.masks[:5]])
    others = colours[1:].mean(axis=0)
    with torch.no_grad():
        network[0].weight[:] = torch.from_numpy(colours[0] - others).float()[None, :, None, None]
        network[0].weight[1] *= -1
    share = float(probe.masks[0].mean())
    result = dissect(Classifier(network), probe, "0", settings=DissectionSettings(fraction=share, length=1))
    assert result.units[0].label.name == "sky"
    assert result.units[0].iou > 0.6 > 2 * result.units[0].null_iou > 0
    again = dissect(Classifier(network), probe, "0", settings=DissectionSettings(fraction=share, length=1), seed=1)
    assert again.units[0].iou == result.units[0].iou and again.units[0].null_iou != result.units[0].null_iou
    assert 0.5 < result.units[0].held_out_iou == again.units[0].held_out_iou
    without = dissect(Classifier(network), probe, "0", settings=DissectionSettings(null=False, held_out=False))
    assert np.isnan([without.units[0].null_iou, without.units[0].held_out_iou]).all()


def test_plain_features_are_compared_with_whole_images(small_classifier, probe):
    result = dissect(small_classifier, probe, "6", settings=DissectionSettings(fraction=0.2, length=1))
    assert set(np.unique(result.intersection)) <= set(range(257))
    assert sum(unit.label == probe.concepts[5] for unit in result.units) > 0


def test_one_store_serves_several_models(small_classifier, probe):
    store = store_concepts(probe)
    probe_labels, probe.labels = probe.labels, None
    same(dissect(small_classifier, probe, "1", store=store), dissect(small_classifier, probe, "1", store=store))
    probe.labels = probe_labels
    same(dissect(small_classifier, probe, "1", store=store), dissect(small_classifier, probe, "1"))


def test_a_layer_that_is_not_reached(small_network, probe):
    small_network.extra = nn.Identity()
    small_network.forward = lambda x: nn.Sequential(*list(small_network)[:-1])(x)
    with pytest.raises(OptionError, match="The forward pass of model does not go through layer 'extra'"):
        dissect(Classifier(small_network), probe, "extra")


def test_values_that_are_not_finite(small_classifier, probe):
    with torch.no_grad():
        small_classifier.module[3].bias[0] = float("nan")
    with pytest.raises(NotEvaluated, match="layer 4 of small gives values that are not finite"):
        dissect(small_classifier, probe, "4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fraction": 0}, "Expected fraction to be between 0 and 1, but got 0"),
        ({"fraction": 1.0}, "between 0 and 1, but got 1.0"),
        ({"length": 0}, "Expected length to be at least 1, but got 0"),
        ({"beam": 0}, "Expected beam to be at least 1, but got 0"),
    ],
)
def test_options_outside_their_range(options, message):
    with pytest.raises(OptionError, match=message):
        DissectionSettings(**options)
