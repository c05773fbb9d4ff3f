"""A published network on real labelled images, against the literal search."""

import csv

import numpy as np
import pytest
import torch
from array_probe import ArrayProbe
from PIL import Image
from reference_compositional import explain

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.classifier import Classifier
from sparsescope.dissection import DissectionSettings, dissect, store_concepts
from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.exact import search_exactly
from sparsescope.dissection.packing import pack
from sparsescope.dissection.search import search
from sparsescope.dissection.unit_mask import Covered, UnitMask

UNITS = (0, 6, 8, 25)


@pytest.fixture
def probe(shared_data):
    """Every 20th image of the small Broden set at 32 px, its label maps at 112 px."""
    folder = shared_data / "mini_broden"
    with (folder / "index.csv").open() as index, (folder / "label.csv").open() as label:
        rows, names = list(csv.DictReader(index))[::20], [row["name"] for row in csv.DictReader(label)]
    masks = np.zeros((len(names), len(rows), 112, 112), dtype=bool)
    images = np.empty((len(rows), 3, 32, 32), dtype=np.float32)
    for i, row in enumerate(rows):
        with Image.open(folder / "images" / row["image"]) as image:
            images[i] = np.asarray(image.convert("RGB").resize((32, 32))).transpose(2, 0, 1) / 255
        for item in ";".join(row[category] for category in ("color", "object", "scene", "texture")).split(";"):
            if item.isdigit():
                masks[int(item) - 1, i] = True
            elif item:
                with Image.open(folder / "images" / item) as image:
                    channels = np.asarray(image.convert("RGB")).astype(int)
                labels = channels[..., 0] + 256 * channels[..., 1]
                masks[:, i] |= labels == np.arange(1, len(names) + 1)[:, None, None]
    return ArrayProbe(images, masks, names)


def test_resnet20_layer3_on_real_masks(probe, shared_data):
    stored = torch.load(shared_data / "checkpoints" / "resnet20-12fca82f.th", map_location="cpu", weights_only=True)
    network = resnet20s()
    network.load_state_dict({name.removeprefix("module."): value for name, value in stored["state_dict"].items()})
    classifier = Classifier(network, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    result = dissect(classifier, probe, settings=DissectionSettings(null=False, search="beam"))
    assert result.layer == "layer3" and len(result.units) == 64
    outputs = []
    network.layer3.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    with classifier.prepared(), torch.no_grad():
        classifier(probe.read(range(len(probe))))
    maps = outputs[0].numpy()
    store = store_concepts(probe)
    for k in UNITS:
        unit = result.units[k]
        resized = np.stack([Image.fromarray(m).resize((112, 112), Image.Resampling.BILINEAR) for m in maps[:, k]])
        mask = resized > unit.threshold
        covered = Covered(store, UnitMask.from_images(np.arange(len(mask)), pack(mask)))
        if k == UNITS[0]:  # a beam as wide as there are formulas of two concepts leaves nothing out
            best, wide = search_exactly(FormulaAreas(store), covered), search(FormulaAreas(store), covered, beam=5000)
            assert (best.formula, best.iou, best.bound) == (wide.formula, wide.iou, wide.iou)
        (labels, operators), iou, ((label,), _), label_iou = explain(mask, probe.masks)
        # Pillow and torch round differently at a pixel or two; which formula is best does not hang on them.
        assert unit.formula.concepts == tuple(probe.concepts[i] for i in labels)
        assert tuple(map(str, unit.formula.operators)) == operators
        assert unit.label == probe.concepts[label]
        assert unit.iou == pytest.approx(iou, rel=1e-3) and unit.label_iou == pytest.approx(label_iou, rel=1e-3)
        assert abs(int(result.intersection[:, k].sum()) - int((mask & evaluated(unit, probe)).sum())) <= 3


def evaluated(unit, probe):
    return unit.formula.evaluate(dict(zip(probe.concepts, probe.masks, strict=True)))
