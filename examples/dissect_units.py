"""What do units respond to? Two that were built to see red and blue are dissected on the embedded scenes.

python examples/dissect_units.py
"""

import torch
from torch import nn

import sparsescope as ss
from sparsescope.dissection import DissectionSettings, dissect, portraits


def red_and_blue() -> nn.Module:
    """A network whose first layer has a unit for red and one for blue pixels."""
    see = nn.Conv2d(3, 2, kernel_size=1)
    with torch.no_grad():
        see.weight[:, :, 0, 0] = torch.tensor([[1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]])
        see.bias.zero_()
    return nn.Sequential(see, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 10))


probe = ss.open_probe("shapes", shape=(3, 32, 32))
classifier = ss.Classifier(red_and_blue(), name="red and blue")
# A unit that fires for a colour fires often: at one pixel in twenty instead of one in two hundred.
found = dissect(classifier, probe, "1", settings=DissectionSettings(fraction=0.05, length=2))
for unit in found.units:
    print(f"unit {unit.unit}: {unit.formula}, IoU {unit.iou:.2f}, on shuffled images {unit.null_iou:.2f}")

red, blue = found.units
assert red.label is not None and red.label.name == "red-c"
assert blue.label is not None and blue.label.name == "blue-c"
assert min(red.iou, blue.iou) > 3 * max(red.null_iou, blue.null_iou)

strongest = portraits(classifier, probe, found, [0], count=3)[0]
for picture in strongest:
    print(f"image {picture.image}: the neuron fires in {picture.fires.mean():.0%} of it, IoU {picture.iou:.2f}")
assert len(strongest) == 3 and all(picture.fires.any() for picture in strongest)
