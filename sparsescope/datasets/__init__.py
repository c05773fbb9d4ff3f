"""Data by SPEC: one file per source of images.

| SPEC | what it is | splits | file |
|---|---|---|---|
| `digits` | scikit-learn's embedded digits, 1 x 32 x 32, 10 classes | test 800, train 997 | `digits.py` |
| `letters` | letters of matplotlib's fonts in the manner of `digits`; its OoD set | one | `letters.py` |
| `cifar10:DIR`, `cifar100:DIR` | the published Python folders, read by torchvision | test, train | `cifar.py` |
| `folder:DIR` | a sub-folder of image files per class, or `test/`, `train/` of such | as found | `image_folder.py` |
| `folder:DIR` | image files side by side, without labels: an OoD set | one | `image_folder.py` |
| `imagenet:DIR` | class folders named by synset; any of the 1,000 classes | test, train | `imagenet.py` |
| `imagenet-a:DIR`, `imagenet-r:DIR` | test sets of 200 classes, outputs cut to them | one | `imagenet.py` |
| `imagenet-o:DIR` | an OoD set beside `imagenet:DIR`, outputs cut to 200 classes | one | `imagenet.py` |
| `noise:KIND` | noise, `uniform` or `gaussian`, in the shape of the test images; far OoD sets | one | `noise.py` |
| `textures` | patterns, drawn in the shape of the test images; a far OoD set | one | `textures.py` |
| `npz:FILE` | arrays `images`, `labels`, `classes` | one | `arrays.py` |
| `FILE.py:function`, `package.module:function` | the user's own code | as returned | `user.py` |

To add a source: write one file with a function `(argument, resizing) -> Source`, and add its line to `SOURCES`.
Images with labelled concepts have a catalogue of their own: `probes/`.
"""

from typing import TYPE_CHECKING, Any

from sparsescope.datasets.specs import Entry

if TYPE_CHECKING:
    from sparsescope.datasets.open import open_benchmark, open_images
    from sparsescope.datasets.probes.open import open_probe

__all__ = ["FAR", "SOURCES", "open_benchmark", "open_images", "open_probe"]

SOURCES = {
    "digits": Entry("digits", "sparsescope.datasets.digits:open_digits"),
    "letters": Entry("letters", "sparsescope.datasets.letters:open_letters"),
    "cifar10": Entry("cifar10:DIR", "sparsescope.datasets.cifar:open_cifar10"),
    "cifar100": Entry("cifar100:DIR", "sparsescope.datasets.cifar:open_cifar100"),
    "folder": Entry("folder:DIR", "sparsescope.datasets.image_folder:open_folder"),
    "imagenet": Entry("imagenet:DIR", "sparsescope.datasets.imagenet:open_imagenet"),
    "imagenet-a": Entry("imagenet-a:DIR", "sparsescope.datasets.imagenet:open_imagenet_a"),
    "imagenet-r": Entry("imagenet-r:DIR", "sparsescope.datasets.imagenet:open_imagenet_r"),
    "imagenet-o": Entry("imagenet-o:DIR", "sparsescope.datasets.imagenet:open_imagenet_o"),
    "noise": Entry("noise:KIND", "sparsescope.datasets.noise:open_noise"),
    "textures": Entry("textures", "sparsescope.datasets.textures:open_textures"),
    "npz": Entry("npz:FILE", "sparsescope.datasets.arrays:open_npz"),
}
FAR = ("noise:uniform", "noise:gaussian", "textures")
"""Out-of-distribution sets for data that has none of its own: far from any photograph, and never a download."""


def __getattr__(name: str) -> Any:
    # Resolved on first use, so that reading the catalogue (for help texts) does not import torch.
    if name in ("open_benchmark", "open_images"):
        from sparsescope.datasets import open as module

        return getattr(module, name)
    if name == "open_probe":
        from sparsescope.datasets.probes.open import open_probe

        return open_probe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
