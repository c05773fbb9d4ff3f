"""Probe sets by SPEC: images whose every pixel is labelled with concepts, in the model's input shape.

To add a source: write one file with a function `(argument, shape) -> ProbeSet`, and add its line to `PROBES`.
"""

from pathlib import Path

from sparsescope.specs import USER_FORMS, Catalogue, Entry

__all__ = ["CHANNELS", "EMBEDDED", "PROBES"]

_HERE = "sparsescope.datasets.probes"
PROBES = Catalogue(
    "probe set",
    {
        "shapes": Entry(
            "shapes",
            f"{_HERE}.shapes:open_shapes",
            "400 scenes of shapes, colors, textures and parts, drawn in the test images' shape",
        ),
        "broden": Entry(
            "broden:DIR",
            f"{_HERE}.broden:open_broden",
            "Broden, ADE20K and other sets as NetDissect's builder writes them; `broden:DIR/index_sm.csv` for another "
            "index",
            looks_like=lambda path: (
                (path.is_file() and path.suffix.lower() == ".csv") or (path / "label.csv").is_file()
            ),
        ),
        "probe": Entry(
            "probe:DIR",
            f"{_HERE}.folder:open_labelled_folder",
            "your own segmentation data as a plain folder: `images/`, `labels/` (PNG label maps), `labels.json`",
            looks_like=Path.is_dir,
        ),
        **{
            form: Entry(
                form,
                f"{_HERE}.user:open_user_probe",
                "your own function, which returns a `ProbeSet`",
                runs_user_code=True,
            )
            for form in USER_FORMS
        },
    },
)
EMBEDDED = "shapes"
"""What is probed with where nothing else is asked for: drawn, never a download."""
CHANNELS = (1, 3)
"""Grey and RGB: what images of files, and scenes, can be shown in."""
