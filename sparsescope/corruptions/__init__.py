"""Common image corruptions at five severities, after Hendrycks & Dietterich 2019, with both published tables.

    from sparsescope.corruptions import corrupt
    foggy = corrupt(images, "fog", severity=3, seed=0)          # uint8 (N, H, W, C) in, the same out

| module    | standard (`STANDARD`, the 15 that count in mCE)               | extra (`EXTRA`)  |
|-----------|---------------------------------------------------------------|------------------|
| `noise`   | gaussian_noise, shot_noise, impulse_noise                     | speckle_noise    |
| `blur`    | defocus_blur, glass_blur, motion_blur, zoom_blur              | gaussian_blur    |
| `weather` | snow, frost, fog, brightness                                  | spatter          |
| `digital` | contrast, elastic_transform, pixelate, jpeg_compression       | saturate         |

A new corruption is one function `(images, parameters, generators) -> images` in its family's module, its name in
`tables` with five tuples of parameters in each table, and its name in `engine`.

Where the published scripts have quirks, the published sets have them too, and so do we: glass blur copies pixels where
it means to swap them, levels are truncated and not rounded, frost uses five textures of six. Where we differ: any
image size (fog's map is made at the next power of two and cut), no OpenCV and no ImageMagick (their filters are
rewritten), frost textures of our own unless a folder with the published ones is given, and no JPEG on top.

Stored sets have a catalogue: to add a layout, write a `CorruptedSet` in a file of its own, made from
`(folder, test images, SPEC)`, and add its line to `STORED_SETS`. Importing this package imports no torch.
"""

from typing import TYPE_CHECKING

from sparsescope.corruptions.tables import EXTRA, SEVERITIES, STANDARD
from sparsescope.lazy import lazy
from sparsescope.specs import Catalogue, Entry

if TYPE_CHECKING:
    from sparsescope.corruptions.engine import corrupt
    from sparsescope.corruptions.transform import Corruption

__all__ = ["EXTRA", "SEVERITIES", "STANDARD", "STORED_SETS", "Corruption", "corrupt"]

STORED_SETS = Catalogue(
    "corrupted set",
    {
        "cifar-c": Entry(
            "cifar-c:DIR",
            "sparsescope.corruptions.stored:CifarC",
            "`labels.npy` and one `NAME.npy` per corruption, five severities one after the other, as in CIFAR-10-C",
        ),
        "imagenet-c": Entry(
            "imagenet-c:DIR",
            "sparsescope.corruptions.stored_folders:ImagenetC",
            "image files `CORRUPTION/SEVERITY/CLASS/FILE`, as in ImageNet-C",
        ),
    },
)

_HOMES = {"Corruption": "transform", "corrupt": "engine"}
# Resolved on first use, so that reading the catalogue (for help texts) imports nothing heavy.

__getattr__, __dir__ = lazy(__name__, _HOMES)
