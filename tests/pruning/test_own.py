"""Scoring functions of one's own: LAMP in every form, and what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import reference_pruning as reference
import torch
import toy_lamp
from torch import Tensor, nn

import sparsescope as ss
from sparsescope.errors import InputError, OptionError
from sparsescope.pruning import CATALOGUE, Method, find, score

Make = Callable[..., list[tuple[Tensor, Tensor]]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`lamp.py` in the working folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(toy_lamp.__file__, tmp_path / "lamp.py"))


def test_lamp_equals_the_paper_in_every_form(tiny: nn.Module, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = dict(tiny.named_parameters())
    forms: list[Any] = [toy_lamp.lamp, "lamp.py:lamp", f"{file}:lamp", "toy_lamp:lamp"]
    masks = [ss.prune(form, tiny, sparsity=0.7) for form in forms]
    for form in forms:
        assert find(form).name == "lamp"
        scores = score(form, tiny)
        assert set(scores) == {"0.weight", "3.weight"}  # neither biases nor the head
        for name, found in scores.items():
            torch.testing.assert_close(found, reference.lamp(weights[name]), rtol=1e-12, atol=0)
    monkeypatch.setitem(CATALOGUE, "lamp", Method("lamp", "toy_lamp:lamp", "LAMP."))
    masks.append(ss.prune("lamp", tiny, sparsity=0.7))
    expected = reference.keep_top({name: reference.lamp(weights[name]) for name in masks[0]}, 288 - round(0.7 * 288))
    for mask in masks:
        assert mask.method == "lamp" and all(torch.equal(mask[name], kept) for name, kept in expected.items())


def test_batches_are_as_the_module_takes_them(small_classifier: ss.Classifier, make_batches: Make) -> None:
    images, labels = make_batches(shape=(3, 8, 8), dtype=torch.float32)[0]
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (small_classifier.mean, small_classifier.std))
    seen: list[tuple[Tensor, Tensor]] = []

    def looking(module: nn.Module, batches: Any) -> dict[str, Tensor]:
        seen.extend(batches)
        assert not module.training and module is not small_classifier.module
        return dict(module.named_parameters())

    ss.prune(looking, small_classifier, [(images, labels)], 0.5)
    torch.testing.assert_close(seen[0][0], (images - mean) / std)
    ss.prune(looking, small_classifier.module, [(images, labels)], 0.5)
    assert torch.equal(seen[1][0], images) and torch.equal(seen[1][1], labels)
    with pytest.raises(InputError, match=r"give batches, an iterable of \(images, labels\)"):
        ss.prune(looking, small_classifier, sparsity=0.5)


def test_attributes_say_what_a_signature_cannot() -> None:
    def scores(module: nn.Module, batches: Any = None, *, seed: int = 0) -> dict[str, Tensor]:
        """Score at random.

        More of it.
        """
        return {}

    plain = find(scores)
    assert (plain.start, plain.looks_at, plain.scope, plain.steps) == ("trained", "images", "global", 1)
    assert (plain.help, plain.options, plain.trains, plain.code) == ("Score at random.", ("seed",), "afterwards", None)
    scores.start, scores.looks_at, scores.scope, scores.steps = "initial", "nothing", "layerwise", 7  # type: ignore[attr-defined]
    found = find(scores)
    assert (found.start, found.looks_at, found.scope, found.steps) == ("initial", "nothing", "layerwise", 7)


def test_scope_and_steps_of_a_function_hold_unless_others_are_asked_for(tiny: nn.Module) -> None:
    calls: list[int] = []

    def magnitude(module: nn.Module, batches: Any) -> dict[str, Tensor]:
        calls.append(1)
        return {name: parameter.abs() for name, parameter in module.named_parameters()}

    magnitude.scope, magnitude.steps = "layerwise", 3  # type: ignore[attr-defined]
    assert {n: int(k.sum()) for n, k in ss.prune(magnitude, tiny, sparsity=0.5).items()} == {
        "0.weight": 54,
        "3.weight": 90,
    }
    assert len(calls) == 3
    mask = ss.prune(magnitude, tiny, sparsity=0.5, scope="global", steps=1)
    assert len(calls) == 4
    assert all(torch.equal(kept, mask[name]) for name, kept in ss.prune("omp", tiny, sparsity=0.5).items())


def strange(signature: str) -> Any:
    return eval(f"lambda {signature}: {{}}")


@pytest.mark.parametrize(
    "signature", ["", "a, b, c", "subject, power=1.0", "*layers", "subject, *rest", "subject, batches=3"]
)
def test_other_signatures_are_refused(tiny: nn.Module, signature: str) -> None:
    with pytest.raises(OptionError, match=r"takes one argument, a Subject, or two, the module .* But got <lambda>"):
        ss.prune(strange(signature), tiny, sparsity=0.5)


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("start", "random", "Expected magnitude.start to be 'trained' or 'initial', but it is 'random'"),
        ("looks_at", "labels", "magnitude.looks_at to be 'nothing' or 'shapes' or 'images', but it is 'labels'"),
        ("starts", "initial", "an attribute 'starts', which means nothing. Did you mean start"),
        ("scope", "glob", "or N:M such as '2:4', but got 'glob'"),
        ("steps", 0, "steps of at least 1, but got 0"),
    ],
)
def test_attributes_are_honored_or_refused(tiny: nn.Module, attribute: str, value: Any, text: str) -> None:
    def magnitude(subject: Any) -> Any:
        return dict(subject.weights)

    setattr(magnitude, attribute, value)
    with pytest.raises(OptionError, match=text):
        ss.prune(magnitude, tiny, sparsity=0.5)


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        (None, "Expected own to return a tensor of scores by parameter name, but got None"),
        ({"0.weight": 1.0}, "a tensor of scores by parameter name, but got {'0.weight': 1.0}"),
        ({"0.weight": torch.ones(4, 3, 3, 3)}, "score all weights that may be removed, but 3.weight is missing"),
        ({"first.weight": torch.ones(1)}, "own returns scores for 'first.weight', which is no parameter"),
        ({"0.weight": torch.ones(4)}, r"of shape \(4, 3, 3, 3\) for 0.weight, but got \(4,\)"),
    ],
)
def test_scores_that_do_not_fit(tiny: nn.Module, returned: Any, text: str) -> None:
    def own(subject: Any) -> Any:
        return returned

    with pytest.raises(InputError, match=text):
        ss.prune(own, tiny, sparsity=0.5)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("none.py:lamp", "Expected a Python file at none.py"),
        ("lamp.py:lump", "lamp.py has no 'lump'. Did you mean 'lamp'"),
        ("lamp.py:torch", "Expected a scoring function, but got <module 'torch' .*, a module"),
        ("lamp.py", "There is no pruning method 'lamp.py'.* or name a scoring function, FILE.py:function"),
        ("toy_lmap:lamp", "The module toy_lmap could not be imported"),
    ],
)
def test_functions_that_cannot_be_found(tiny: nn.Module, file: Path, spec: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        ss.prune(spec, tiny, sparsity=0.5)


def test_an_error_in_a_users_file_says_where(tiny: nn.Module, file: Path) -> None:
    file.write_text("def lamp(module, batches):\n    return {}['a']\n")
    with pytest.raises(InputError, match=r"The scoring function lamp failed in .*lamp\.py, line 2: KeyError: 'a'"):
        ss.prune("lamp.py:lamp", tiny, sparsity=0.5)
    with pytest.raises(KeyError):  # of an object, the traceback says it
        ss.prune(find("lamp.py:lamp").load(), tiny, sparsity=0.5)
    file.write_text("def lamp(module, batches):\n    return list(batches)\n")
    with pytest.raises(InputError, match=r"^This method looks at data: give batches"):
        ss.prune("lamp.py:lamp", tiny, sparsity=0.5)


def test_a_function_called_as_a_built_in_method(tiny: nn.Module, file: Path) -> None:
    file.write_text("def omp(subject):\n    return {}\n")
    with pytest.raises(OptionError, match=r"lamp.py:omp has the name of a built-in method, omp. Rename the function"):
        ss.prune("lamp.py:omp", tiny, sparsity=0.5)


def test_code_is_the_files_content(file: Path) -> None:
    code = find("lamp.py:lamp").code
    assert code and find(f"{file}:lamp").code == code
    source = Path(shutil.copy(file, "lamp_imported_by_another.py"))
    Path("another.py").write_text("from lamp_imported_by_another import lamp\n")
    both = find("another.py:lamp").code
    for edited in (file, source):
        edited.write_text(edited.read_text() + "# edited\n")
    assert find("lamp.py:lamp").code not in (code, None)
    assert both not in (code, None) and find("another.py:lamp").code != both  # of the file that defines it, too


def test_a_function_without_a_file() -> None:
    with pytest.raises(InputError, match="Expected builtins:abs to come from a file, which says whether it has chan"):
        find("builtins:abs")
