"""The cache and the user's own code: an edited measurement or network never gets the numbers of its older version."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sparsescope import userfiles
from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.errors import SparsescopeWarning
from sparsescope.evaluation import evaluate
from sparsescope.measurements.predictions import Predictions
from sparsescope.results import Evaluation
from sparsescope.userfiles import load_object

FILES = {
    "shade_base.py": """
from sparsescope.measurements.base import Measurement
class Shown(Measurement):
    population = "test"
    def unit_ids(self, benchmark, seed):
        import numpy as np
        return np.arange(len(benchmark.test))
    def cost(self, benchmark):
        return 1.0
    def prepare(self, benchmark, ids, seed):
        return benchmark.test.read(ids) + 1000
""",
    "shade_helper.py": "FACTOR = 2.0\n",
    "shade.py": """
from dataclasses import dataclass
from pydantic.dataclasses import dataclass as options
from shade_base import Shown
from sparsescope.metrics.base import OPTIONS, Metric
from sparsescope.units import weighted_mean
OFFSET = 10.0
def helper(images):
    return images.mean(dim=(1, 2, 3)).numpy() + OFFSET
@dataclass(frozen=True)
class Shade(Shown):
    def measure(self, classifier, shown, given, batch_size):
        from shade_helper import FACTOR
        classifier(shown[:1])
        return {"shade": helper(shown) * FACTOR}
@options(frozen=True, config=OPTIONS)
class ShadeMetric(Metric):
    name, label, dimension, unit, source = "shade", "Shade", "generalization", "levels", "nobody"
    sentence = "How light the images are."
    higher_is_better, bounds, in_verdict = True, (None, None), False
    def measurements(self, benchmark):
        return (Shade(),)
    def reduce(self, units, weights):
        return weighted_mean(units["shade"], weights)
""",
}
EDITS = {
    "a constant of its file": ("shade.py", "OFFSET = 10.0", "OFFSET = 11.0"),
    "a helper function": ("shade.py", "dim=(1, 2, 3)).numpy()", "dim=(1, 2, 3)).numpy() + 5"),
    "a constant of a neighbour, imported when it is used": ("shade_helper.py", "2.0", "3.0"),
    "its base class": ("shade_base.py", "+ 1000", "+ 2000"),
}


def small_benchmark() -> Benchmark:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    return Benchmark("small", ArrayImages(pixels, np.arange(12) % 3))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))


def measure(metric: Any, cache: Path, model: nn.Module | None = None) -> Evaluation:
    """Each part is asked for once for both models, as they are one: `cost.cached` is 0 or 2."""
    model = model or network()
    return evaluate(model, model, small_benchmark(), metrics=[metric], cache=cache, device="cpu", replicates=100)


def edit(folder: Path, change: str) -> None:
    name, old, new = EDITS[change]
    path = folder / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(userfiles, "_IMPORTED", {})
    monkeypatch.setattr(userfiles, "_OURS", set())
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


@pytest.mark.parametrize("change", EDITS)
def test_an_edited_file_is_measured_anew_in_the_same_process(folder: Path, change: str) -> None:
    def run() -> tuple[float, int]:
        metric: Any = load_object(f"{folder}/shade.py:ShadeMetric")
        evaluation = measure(metric(), folder / "cache")
        return evaluation["shade"].value("dense").value, evaluation.cost.cached

    before, cached = run()
    assert cached == 0
    assert run() == (before, 2)
    edit(folder, change)
    after, cached = run()
    assert cached == 0 and after != before
    assert run() == (after, 2)


def run_process(folder: Path, code: str) -> Any:
    """Run code in a new process whose modules lie in the folder; it prints JSON."""
    script = f"import json\nfrom test_user_code import measure\n{code}"
    path = os.pathsep.join([str(folder), str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("change", ["a helper function", "a constant of a neighbour, imported when it is used"])
def test_an_edited_module_is_measured_anew_in_a_new_process(folder: Path, change: str) -> None:
    code = (
        "from pathlib import Path\nfrom shade import ShadeMetric\nfound = measure(ShadeMetric(), Path('cache'))\n"
        "print(json.dumps([found['shade'].value('dense').value, found.cost.cached]))"
    )
    before, cached = run_process(folder, code)
    assert cached == 0
    assert run_process(folder, code) == [before, 2]
    edit(folder, change)
    after, cached = run_process(folder, code)
    assert cached == 0 and after != before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new"), [("shade_net.py", "act(x)", "act(act(x))"), ("shade_act.py", "2", "3")]
)
def test_an_edited_network_is_measured_anew_in_a_new_process(folder: Path, name: str, old: str, new: str) -> None:
    """The same weights, handed over in Python, under another forward pass."""
    (folder / "shade_act.py").write_text("def act(x):\n    return x ** 2\n")
    (folder / "shade_net.py").write_text(
        "from torch import nn\nfrom shade_act import act\nfrom test_user_code import network\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.net = network()\n"
        "    def forward(self, x):\n        return self.net(act(x))\n"
    )
    code = (
        "from pathlib import Path\nfrom shade_net import Net\nfound = measure('nll', Path('cache'), Net())\n"
        "print(json.dumps([found['nll'].value('dense').value, found.cost.cached]))"
    )
    before, cached = run_process(folder, code)
    assert cached == 0
    (folder / name).write_text((folder / name).read_text().replace(old, new))
    after, cached = run_process(folder, code)
    assert cached == 0 and after != before
    assert run_process(folder, code) == [after, 2]


@pytest.mark.slow
def test_a_module_that_is_edited_while_python_runs_is_not_cached(folder: Path) -> None:
    """Python goes on with the code that it has read: its numbers must not be kept as those of the edited file."""
    code = (
        "import warnings\nfrom pathlib import Path\nfrom shade import ShadeMetric\n"
        "file = Path('shade.py')\nfile.write_text(file.read_text().replace('OFFSET = 10.0', 'OFFSET = 11.0'))\n"
        "with warnings.catch_warnings(record=True) as told:\n"
        "    warnings.simplefilter('always')\n    measure(ShadeMetric(), Path('cache'))\n"
        "print(json.dumps([len(list(Path('cache').rglob('*.part'))), [str(each.message) for each in told]]))"
    )
    kept, told = run_process(folder, code)
    assert kept == 0
    assert len(told) == 1 and "shade.py was changed after this process began" in told[0]


@pytest.mark.slow
def test_a_network_without_source_is_not_cached_and_the_user_is_told_once(folder: Path) -> None:
    code = (
        "import warnings\nfrom pathlib import Path\nfrom torch import nn\n"
        "from test_user_code import network\n"
        "class Scaled(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.net = network()\n"
        "    def forward(self, x):\n        return 2 * self.net(x)\n"
        "with warnings.catch_warnings(record=True) as told:\n"
        "    warnings.simplefilter('always')\n    measure('accuracy', Path('cache'), Scaled())\n"
        "print(json.dumps([len(list(Path('cache').rglob('*.part'))), [str(each.message) for each in told]]))"
    )
    kept, told = run_process(folder, code)
    assert kept == 0
    assert len(told) == 1
    assert told[0].startswith("Some results are not cached, because their code cannot be told from an edited version: ")
    assert "Scaled is not defined in a file that can be read" in told[0]
    assert told[0].endswith("Define it in a Python file, not in a notebook or on the command line, and start Python "
                            "anew after editing that file.")  # fmt: skip


def test_a_measurement_without_source_is_not_cached(folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "shade_typed_in"}
    load_object(f"{folder}/shade.py:Shade")  # so that its base class can be imported
    exec(FILES["shade.py"], names)
    with pytest.warns(SparsescopeWarning, match=r"not cached, .* Shade: Shade is not defined in a file"):
        first = measure(names["ShadeMetric"](), folder / "cache")
    assert first["shade"].value("dense").value > 0
    assert not list((folder / "cache").rglob("*.part"))


def test_without_a_cache_nobody_is_told(folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "shade_typed_in"}
    load_object(f"{folder}/shade.py:Shade")
    exec(FILES["shade.py"], names)
    model = network()
    evaluate(model, model, small_benchmark(), metrics=[names["ShadeMetric"]()], cache=False, replicates=100)


def test_own_measurements_do_not_depend_on_the_users_files(folder: Path) -> None:
    def accuracy() -> int:
        return measure("accuracy", folder / "cache").cost.cached

    assert accuracy() == 0
    (folder / "another.py").write_text("x = 1")
    assert accuracy() == 2


SET_FROM_OUTSIDE = (
    "from pathlib import Path\nimport shade\nfrom sparsescope.evaluation import evaluate\n"
    "from test_user_code import network, small_benchmark\n"
    "def run(**options):\n"
    "    model = network()\n"
    "    found = evaluate(model, model, small_benchmark(), metrics=[shade.ShadeMetric()], cache='cache',\n"
    "                     device='cpu', replicates=100, **options)\n"
    "    return [found['shade'].value('dense').value, found.cost.cached]\n"
)


@pytest.mark.slow
def test_a_constant_that_is_set_from_outside_is_measured_anew(folder: Path) -> None:
    code = f"{SET_FROM_OUTSIDE}before = run()\nshade.OFFSET = 30.0\nprint(json.dumps([before, run(), run()]))"
    (before, first), (after, second), (again, third) = run_process(folder, code)
    assert after == pytest.approx(before + 40) and again == after
    assert (first, second, third) == (0, 0, 2)


@pytest.mark.slow
def test_what_worker_processes_would_not_see_is_refused(folder: Path) -> None:
    code = (
        f"{SET_FROM_OUTSIDE}from sparsescope.errors import OptionError\n"
        "if __name__ == '__main__':\n    same = run(workers=2)\n    shade.OFFSET = 30.0\n"
        "    try:\n        run(workers=2)\n    except OptionError as error:\n"
        "        print(json.dumps([same, str(error)]))"
    )
    (value, cached), told = run_process(folder, code)
    assert value > 0 and cached == 0
    assert told.startswith("Worker processes import your files anew, and there Shade or a network is not what it is")


def test_a_replaced_method_of_a_built_in_measurement_is_measured_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(self: Predictions, *arguments: Any) -> Any:
        found = own(self, *arguments)
        return {**found, "logits": -found["logits"]}

    own = Predictions.measure
    before = measure("nll", folder / "cache")["nll"].value("dense").value
    monkeypatch.setattr(Predictions, "measure", wrong)
    after = measure("nll", folder / "cache")
    assert after.cost.cached == 0 and after["nll"].value("dense").value != before
