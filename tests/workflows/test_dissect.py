"""Dissections of several models: which shape, the numbers in tables and page, pictures, errors, the same bytes."""

import csv
import dataclasses
import math
import re

import numpy as np
import pytest
import torch
from array_probe import ArrayProbe, random_masks
from html_page import Page
from torch import nn

from sparsescope.checkpoints import save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.dissection import DissectionSettings
from sparsescope.errors import DataError, InputError, OptionError
from sparsescope.evaluation import evaluate
from sparsescope.mask import Mask
from sparsescope.pruning import prune
from sparsescope.workflows.dissect import dissect_side_by_side, input_shape, write_dissections

SETTINGS = DissectionSettings("2", fraction=0.05, length=2)


@pytest.fixture(scope="module")
def probe():
    rng = np.random.default_rng(1)
    return ArrayProbe(rng.random((20, 3, 8, 8)), random_masks(rng, 5, 20, 8, 8), ["sky", "<b>", "c", "d", "e"])


def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        return nn.Sequential(*layers, nn.Linear(8, 4))


@pytest.fixture(scope="module")
def models():
    dense, pruned = network(), network()
    mask: Mask = prune("omp", pruned, sparsity=0.4)
    mask.apply(pruned)
    with torch.no_grad():
        pruned[0].weight[2], pruned[0].bias[2] = 0, -1
    return [Classifier(dense, name="dense"), Classifier(pruned, name="sparse")]


@pytest.fixture(scope="module")
def written(models, probe, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("written")
    found = dissect_side_by_side(models, probe, SETTINGS, seed=4)
    paths = write_dissections(found, models, probe, tmp_path, SETTINGS, top=3, seed=4)
    return found, paths


def test_tables_have_every_unit_and_the_page_the_numbers_of_the_dissections(written):
    found, paths = written
    assert set(paths) == {"units-dense.csv", "units-sparse.csv", "dissection.html"}
    for result in found:
        with paths[f"units-{result.model}.csv"].open() as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["unit", "formula", "iou", "length", "label", "label_iou", "dead", "gap"]
        assert len(rows) == 8
        for row, unit in zip(rows, result.units, strict=True):
            assert row["dead"] == str(unit.dead).lower() and row["length"] == str(len(unit.formula or ()))
            assert row["iou"] == ("" if unit.dead else repr(unit.iou))
            assert row["formula"] == ("" if unit.dead else str(unit.formula))
    html = paths["dissection.html"].read_text()
    page = Page(html)
    page.check_self_contained(html)
    dense, sparse = found
    assert sparse.units[2].dead
    assert "8 live, 0 dead 7 live, 1 dead" in page.text
    means = [f"{result.mean_iou:.4f}" for result in found]
    assert re.search(rf"Mean IoU of the best formulas {means[0]} \[\S+ \S+\] {means[1]} \[", page.text)
    assert f"held-out images {dense.mean_held_out_iou:.4f} {sparse.mean_held_out_iou:.4f}" in page.text
    assert f"shuffled images {dense.mean_null_iou:.4f} {sparse.mean_null_iou:.4f}" in page.text
    best = max(dense.units, key=lambda unit: unit.iou)
    assert (
        f"unit {best.unit} {best.formula} IoU {best.iou:.4f} · on held-out images {best.held_out_iou:.4f} "
        f"· on shuffled images {best.null_iou:.4f}"
    ) in page.text
    twin = sparse.units[best.unit]
    assert f"in sparse: {'dead' if twin.dead else twin.formula}" in page.text
    assert "Never fire on these images, and are left out of all means: 2." in page.text
    assert "array: 20 images of 3 × 8 × 8, 5 concepts" in page.text


def test_interval_and_difference_are_those_of_an_evaluation(models, probe, written, small_benchmark):
    """The same bootstrap of the same metric: `evaluate` says what the page says."""
    _, paths = written
    benchmark = dataclasses.replace(small_benchmark, probe=probe)
    options = {"composition": {"layer": "2", "fraction": 0.05, "length": 2}}
    metric = evaluate(
        models[0], models[1], benchmark, metrics=["composition"], options=options, seed=4, cache=False, device="cpu"
    )["composition"]
    text = Page(paths["dissection.html"].read_text()).text
    for name in ("dense", "sparse"):
        low, high = metric.value(name).interval
        assert f"{metric.value(name).value:.4f} [{low:.4f}, {high:.4f}]" in text
    difference = metric.difference("sparse")
    low, high = (f"{end:+.4f}".replace("-", "−") for end in difference.interval)
    assert f"difference to dense {difference.value:+.4f} [{low}, {high}]".replace(" -", " −") in text


def test_pictures_have_descriptions_and_their_number_is_bounded(written):
    _, paths = written
    page = Page(paths["dissection.html"].read_text())
    pictures = page.tags.count("img")
    alts = [value for tag, key, value in page.attributes if (tag, key) == ("img", "alt")]
    assert len(alts) == pictures and all(alts)
    assert 0 < pictures <= 2 * (3 + 4 + 4) * 4 * 2
    assert any(re.search(r"unit \d and its formula .* share \S+ % of the image", alt) for alt in alts)


def test_the_same_bytes_every_time_and_models_as_they_were(models, probe, written, tmp_path):
    _, paths = written
    again = tmp_path / "again"
    again.mkdir()
    before = [classifier.fingerprint() for classifier in models]
    repeated = dissect_side_by_side(models, probe, SETTINGS, seed=4, batch_size=7)
    more = write_dissections(repeated, models, probe, again, SETTINGS, top=3, seed=4, batch_size=7)
    assert {name: path.read_bytes() for name, path in more.items()} == {n: p.read_bytes() for n, p in paths.items()}
    assert [classifier.fingerprint() for classifier in models] == before


def test_one_model_and_a_layer_of_dead_units(probe, tmp_path):
    module = network()
    with torch.no_grad():
        module[0].weight.zero_()
        module[0].bias.fill_(-1)
    classifier = Classifier(module, name="gone")
    found = dissect_side_by_side([classifier], probe, SETTINGS)
    assert math.isnan(found[0].mean_iou)
    paths = write_dissections(found, [classifier], probe, tmp_path, SETTINGS)
    assert set(paths) == {"units.csv", "dissection.html"}
    page = Page(paths["dissection.html"].read_text())
    assert "0 live, 8 dead" in page.text and "svg" not in page.tags and "img" not in page.tags


def test_progress_never_goes_back(models, probe):
    told = []
    dissect_side_by_side(models, probe, SETTINGS, progress=lambda *told_: told.append(told_))
    shares = [done / total for done, total, _ in told]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    assert {text.partition(":")[0] for _, _, text in told} == {"Reading labels", "dense", "sparse"}


class Broken(nn.Module):
    """A layer that gives nan, and an output that does not."""

    def __init__(self):
        super().__init__()
        self.aside, self.head = nn.Identity(), nn.Linear(3, 2)

    def forward(self, images):
        self.aside(images * math.nan)
        return self.head(images.mean(dim=(2, 3)))


def test_what_cannot_be_dissected_is_said(probe, models):
    wide = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), name="flat")
    with pytest.raises(DataError, match=r"flat cannot take images of shape \(3, 8, 8\)"):
        dissect_side_by_side([wide], probe, SETTINGS)
    with pytest.raises(OptionError, match="dense has no layer 'layer3'"):
        dissect_side_by_side(models, probe, dataclasses.replace(SETTINGS, layer="layer3"))
    broken = Classifier(Broken(), name="broken")
    with pytest.raises(InputError, match="broken cannot be dissected: layer aside of broken gives values that are not"):
        dissect_side_by_side([broken], probe, dataclasses.replace(SETTINGS, layer="aside"))


def test_shape_of_the_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("wide.npz", images=np.zeros((4, 6, 9, 3), np.uint8), labels=np.arange(4))
    classifier = Classifier(network(), name="dense")
    facts = {"plain": {}, "sized": {"size": 40}, "tasked": {"task": {"data": "npz:wide.npz"}}}
    for name, more in facts.items():
        save_checkpoint(f"{name}.pt", classifier, architecture="net.py:build", **more)
    assert input_shape("plain.pt", classifier, size=20) == (3, 20, 20)
    assert input_shape("sized.pt", classifier) == (3, 40, 40)
    assert input_shape("sized.pt", classifier, "npz:wide.npz") == (3, 6, 9)
    assert input_shape("tasked.pt", classifier) == (3, 6, 9)
    with pytest.raises(OptionError, match=r"Expected --size PX or --data SPEC: plain\.pt does not say"):
        input_shape("plain.pt", classifier)
    origin = dataclasses.replace(classifier.origin, architecture="torchvision:resnet18")
    assert input_shape("plain.pt", dataclasses.replace(classifier, origin=origin)) == (3, 224, 224)
    flat = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), (0.1, 0.2, 0.3), (1, 1, 1))
    assert input_shape("plain.pt", flat, size=1) == (3, 1, 1)


def test_a_failure_nobody_takes_is_raised_after_everything_is_written(models, probe, tmp_path, monkeypatch):
    found = dissect_side_by_side(models[:1], probe, SETTINGS, seed=4)
    monkeypatch.setattr("sparsescope.plots.iou_distribution", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_dissections(found, models[:1], probe, tmp_path, SETTINGS)
    assert {path.name for path in tmp_path.iterdir()} == {"units.csv", "dissection.html"}
