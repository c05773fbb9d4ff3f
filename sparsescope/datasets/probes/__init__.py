"""Probe sets by SPEC: images whose every pixel is labelled with concepts, in the model's input shape.

| SPEC | what it is | file |
|---|---|---|
| `shapes` | 400 scenes of shapes, colours, textures and parts, drawn in the test images' shape | `shapes.py` |
| `broden:DIR`, `broden:DIR/index_sm.csv` | Broden and ADE20K, as their builders write them | `broden.py` |
| `probe:DIR` | a plain folder: `images/`, `labels/` (PNG label maps), `labels.json` | `folder.py` |
| `FILE.py:function`, `package.module:function` | the user's own `ProbeSet` | `user.py` |

To add a source: write one file with a function `(argument, shape) -> ProbeSet`, and add its line to `PROBES`.
"""

from sparsescope.datasets.specs import Entry

__all__ = ["CHANNELS", "EMBEDDED", "PROBES"]

PROBES = {
    "shapes": Entry("shapes", "sparsescope.datasets.probes.shapes:open_shapes"),
    "broden": Entry("broden:DIR", "sparsescope.datasets.probes.broden:open_broden"),
    "probe": Entry("probe:DIR", "sparsescope.datasets.probes.folder:open_labelled_folder"),
}
EMBEDDED = "shapes"
"""What is probed with where nothing else is asked for: drawn, never a download."""
CHANNELS = (1, 3)
"""Grey and RGB: what images of files, and scenes, can be shown in."""
