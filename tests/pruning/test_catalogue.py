"""The catalogue is the only list of pruning methods: nothing else spells one, and what shows one shows it all."""

import ast
import inspect
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import sparsescope as ss
from sparsescope.cli.group import sparsescope
from sparsescope.errors import OptionError
from sparsescope.pruning import CATALOGUE, Method, find, names

ROOT = Path(__file__).parents[2]
WORDS = {"random", "channels"}  # of plain English too
LAMP = Method("lamp", "toy_lamp:lamp", "Remove the weights that matter least in their layer.")


def spelled(tree: ast.AST, known: set[str]) -> list[int]:
    """Return the lines with a list, tuple, set, dict or text of three methods or more."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            said = {each.value for each in node.elts if isinstance(each, ast.Constant)}
        elif isinstance(node, ast.Dict):
            said = {each.value for each in node.keys if isinstance(each, ast.Constant)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = set(re.findall(r"\w+", node.value.lower())) - WORDS
        else:
            continue
        if len(said & known) >= 3:
            found.append(node.lineno)
    return found


def test_no_other_module_spells_the_methods() -> None:
    package = ROOT / "sparsescope"
    found = {
        str(path.relative_to(package)): lines
        for path in package.rglob("*.py")
        if (lines := spelled(ast.parse(path.read_text(encoding="utf-8")), set(CATALOGUE)))
    }
    assert found == {}


@pytest.mark.parametrize(
    "code", ['X = ("omp", "lth", "random")', '{"rigl": 1, "omp": 2, "lth": 3}', '"""By snip, grasp or synflow."""']
)
def test_such_a_list_would_be_found(code: str) -> None:
    assert spelled(ast.parse(code), set(CATALOGUE)) == [1]


def shown_in_help(command: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "400")
    return CliRunner().invoke(sparsescope, [command, "--help"]).stdout


@pytest.mark.parametrize("more", [{}, {"lamp": LAMP}])
def test_help_texts_list_exactly_the_catalogue(more: dict[str, Method], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, method in more.items():
        monkeypatch.setitem(CATALOGUE, name, method)
    lines = re.findall(r"^ (\w+)  +([A-Z].*\.) *$", shown_in_help("prune", monkeypatch), re.MULTILINE)
    assert lines == [(method.name, method.help) for method in CATALOGUE.values()]
    (listed,) = re.findall(r"Only this method \(repeatable\): (.*), FILE\.py", shown_in_help("sweep", monkeypatch))
    assert listed.split(", ") == list(CATALOGUE)
    with pytest.raises(OptionError, match=f"Methods: {', '.join(CATALOGUE)}; or name"):
        find("unknown")


def test_the_page_lists_exactly_the_catalogue() -> None:
    page = (ROOT / "docs" / "how-to" / "add-a-pruning-method.md").read_text(encoding="utf-8")
    rows = [row.strip("| ").split(" | ") for row in page.partition("## The catalogue")[2].splitlines()[4:]]
    assert rows == [
        [
            f"`{method.name}`", method.help, method.start, method.looks_at, method.trains, method.scope,
            str(method.steps), ", ".join(f"`{option}`" for option in method.options) or "none",
        ]
        for method in CATALOGUE.values()
    ]  # fmt: skip


@pytest.mark.parametrize("method", CATALOGUE.values(), ids=CATALOGUE)
def test_records_agree_with_their_functions(method: Method) -> None:
    arguments = inspect.signature(method.load()).parameters
    if method.trains != "afterwards":
        assert arguments["scope"].default == method.scope
    else:
        assert next(iter(arguments)) == ("module" if method.structured else "subject")
    assert set(method.options) <= set(arguments) and set(method.shared).isdisjoint(method.options)


def test_reading_catalogue_and_help_imports_no_torch() -> None:
    code = (
        "import sys\nimport sparsescope.pruning as pruning\nfrom sparsescope.cli.group import sparsescope\n"
        "assert pruning.find('lth').trains and pruning.help_lines()\n"
        "for command in ('prune', 'sweep'):\n"
        "    try:\n        sparsescope([command, '--help'])\n"
        "    except SystemExit as end:\n        assert end.code == 0\n"
        "assert not {'torch', 'numpy', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_methods_of_other_packages(tiny: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint(name, value, "sparsescope.pruning_methods")
        for name, value in {"lamp": "toy_lamp:lamp", "snip": "toy_lamp:lamp", "sum": "builtins:sum"}.items()
    ]
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: [point for point in points if point.group == group]
    )
    assert names() == [*CATALOGUE, "lamp", "sum"]
    assert "lamp      See toy_lamp:lamp." in shown_in_help("prune", monkeypatch)
    assert ss.prune("lamp", tiny, sparsity=0.5).method == "lamp" and find("lamp").code
    assert find("snip") is CATALOGUE["snip"]
    with pytest.raises(OptionError, match=r"one argument, a Subject, or two, .* But got sum\(iterable, /, start=0\)"):
        find("sum")


def test_public_names_are_there_on_first_use() -> None:
    assert all(getattr(ss.pruning, name) is not None for name in ss.pruning.__all__)
    assert callable(ss.pruning.lth) and set(ss.pruning.__all__) <= set(dir(ss.pruning))
    with pytest.raises(AttributeError, match=r"'sparsescope\.pruning' has no attribute 'omp_'"):
        _ = ss.pruning.omp_


def test_an_option_that_must_be_given(tiny: nn.Module) -> None:
    def powers(subject: ss.pruning.Subject, *, power: float) -> ss.pruning.Scores:
        return {name: weight.detach().abs() ** power for name, weight in subject.weights.items()}

    with pytest.raises(OptionError, match=r"Method powers needs the option 'power'\. Its own options: power\."):
        ss.prune(powers, tiny, sparsity=0.5)
    assert torch.equal(
        ss.prune(powers, tiny, sparsity=0.5, power=2.0)["0.weight"], ss.prune("omp", tiny, sparsity=0.5)["0.weight"]
    )


def test_options_of_any_name(tiny: nn.Module) -> None:
    given: dict[str, Any] = {}

    def greedy(subject: ss.pruning.Subject, **options: Any) -> ss.pruning.Scores:
        given.update(options)
        return dict(subject.weights)

    ss.prune(greedy, tiny, sparsity=0.5, anything=3)
    assert given == {"anything": 3}
