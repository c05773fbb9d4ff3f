"""The catalogue of probe sets, and where a benchmark gets its own from."""

import re

import numpy as np
import pytest

from sparsescope.datasets import open_benchmark, open_probe
from sparsescope.errors import OptionError


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            "broaden:x",
            "Unknown probe set 'broaden:x'. Did you mean broden:DIR? Expected one of: shapes, broden:DIR, pr",
        ),
        ("shape", "Unknown probe set 'shape'. Did you mean shapes? Expected one of"),
        ("mine.py", "Unknown probe set 'mine.py'. Did you mean mine.py:function, with the function's name? Expected"),
        ("", "Unknown probe set ''. Expected one of: shapes, broden:DIR, probe:DIR, FILE.py:function, package.module:"),
        ("broden", "Expected broden:DIR, but got 'broden'."),
        ("shapes:9", "Expected shapes, but got 'shapes:9'."),
    ],
)
def test_unknown_forms(spec, text):
    with pytest.raises(OptionError, match=re.escape(text)):
        open_probe(spec, (3, 8, 8))


def test_folders_without_a_scheme_get_a_hint(tmp_path):
    with pytest.raises(OptionError, match=re.escape(f"Did you mean probe:{tmp_path}? ")):
        open_probe(str(tmp_path), (3, 8, 8))
    (tmp_path / "label.csv").touch()
    with pytest.raises(OptionError, match=re.escape(f"Did you mean broden:{tmp_path}? ")):
        open_probe(str(tmp_path), (3, 8, 8))
    (tmp_path / "index_sm.csv").touch()
    with pytest.raises(OptionError, match=re.escape(f"Did you mean broden:{tmp_path}/index_sm.csv? ")):
        open_probe(f"{tmp_path}/index_sm.csv", (3, 8, 8))


def test_a_benchmark_from_a_spec_has_the_embedded_set_in_the_test_images_shape(tmp_path):
    np.savez(tmp_path / "data.npz", images=np.zeros((4, 10, 14, 3), np.uint8), labels=np.arange(4))
    benchmark = open_benchmark(f"npz:{tmp_path}/data.npz")
    assert (benchmark.probe.source, benchmark.probe.shape) == ("shapes", (3, 10, 14))
    assert "probe" not in benchmark.sets
    assert open_benchmark(f"npz:{tmp_path}/data.npz", resize=5).probe.shape == (3, 5, 7)
    with pytest.raises(OptionError, match="Unknown probe set 'brodn:x'"):
        open_benchmark(f"npz:{tmp_path}/data.npz", probe="brodn:x")


def test_images_of_other_channels_have_no_embedded_set(tmp_path):
    (tmp_path / "infrared.py").write_text(
        "import torch\nfrom sparsescope import Benchmark, ImageSet\nimport numpy as np\n"
        "class Images(ImageSet):\n"
        "    source, shape, labels, fingerprint = 'infrared', (4, 8, 8), np.arange(3), 'f'\n"
        "    def __len__(self): return 3\n"
        "    def read(self, indices): return torch.zeros(len(indices), *self.shape)\n"
        "def data(): return Benchmark('infrared', Images(), ood={'same': Images()})\n"
    )
    assert open_benchmark(f"{tmp_path}/infrared.py:data").probe is None
