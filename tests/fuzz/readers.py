"""What is tried: name -> a function that prepares a folder and returns what makes and reads the input of a number."""

import json
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from sparsescope import load_classifier
from sparsescope.benchmark import ArrayImages
from sparsescope.checkpoints import describe
from sparsescope.corruptions.stored import open_corrupted
from sparsescope.datasets import open_images, open_probe
from sparsescope.errors import OptionError
from sparsescope.evaluation.config import parse_assignments
from sparsescope.evaluation.settings import resolve
from sparsescope.metrics import CATALOGUE, metric_class
from sparsescope.reporting import report, write_sweep_report
from sparsescope.results import Evaluation, Sweep
from sparsescope.sweeps import load_sweep
from sparsescope.training import load_recipe
from tests.fuzz import contents
from tests.fuzz.limits import Try
from tests.fuzz.mutations import TEXTS, changed_bytes, changed_text, changed_zip

sys.path.insert(0, str(Path(__file__).parents[1] / "references"))
from fake_sweep import make_sweep
from mutate import mutated
from written import part_of, written

N, SHAPE = 6, (8, 8, 3)


def _drawn(name: str, number: int) -> random.Random:
    return random.Random(f"{name}/{number}")


def _changed(data: bytes, rng: random.Random, other: bytes) -> bytes:
    if data.startswith(b"PK") and rng.random() < 0.6:
        return changed_zip(data, rng)
    return changed_bytes(data, rng, other)


def _weights(folder: Path, seeds: list[bytes], name: str, read: Callable[[Path], object]) -> Try:
    path = folder / "input.pt"

    read(_first(path, seeds))  # what it imports is not the first input's

    def attempt(number: int) -> bool:
        rng = _drawn(name, number)
        odd = name == "checkpoint" and rng.random() < 0.25
        data = contents.odd_checkpoint(rng) if odd else rng.choice(seeds)
        if not odd or rng.random() < 0.2:
            data = _changed(data, rng, rng.choice(seeds))
        path.write_bytes(data)
        read(path)
        return True

    return attempt


def checkpoint(folder: Path) -> Try:
    def read(path: Path) -> None:
        describe(path)
        load_classifier(path, arch="digits_cnn")

    return _weights(folder, contents.checkpoints(folder), "checkpoint", read)


def program(folder: Path) -> Try:
    """What holds its network: torch.export, TorchScript, ONNX."""
    seeds = {ending: contents.program(ending, folder) for ending in (".pt2", ".ts", ".onnx")}
    for ending, data in seeds.items():  # what they import is not the first input's
        (folder / f"first{ending}").write_bytes(data)
        load_classifier(folder / f"first{ending}")

    def attempt(number: int) -> bool:
        rng = _drawn("program", number)
        ending = rng.choice(sorted(seeds))
        path = folder / f"input{ending}"
        path.write_bytes(_changed(seeds[ending], rng, rng.choice(list(seeds.values()))))
        describe(path)
        load_classifier(path)
        return True

    return attempt


def mask(folder: Path) -> Try:
    dense = load_classifier(_first(folder / "dense.pt", contents.checkpoints(folder)), arch="digits_cnn")

    def read(path: Path) -> None:
        describe(path)
        load_classifier(path, dense=dense)

    return _weights(folder, contents.masks(folder), "mask", read)


def _first(path: Path, seeds: list[bytes]) -> Path:
    path.write_bytes(seeds[0])
    return path


def npz(folder: Path) -> Try:
    rng = np.random.default_rng(0)
    arrays = {
        "images": rng.integers(0, 256, (N, *SHAPE), dtype=np.uint8),
        "labels": np.arange(N) % 2,
        "classes": np.array(["cat", "dog"]),
    }
    seeds = [contents.npz(arrays), contents.npz(arrays, compressed=True)]
    path = folder / "set.npz"

    def attempt(number: int) -> bool:
        rng = _drawn("npz", number)
        path.write_bytes(_changed(rng.choice(seeds), rng, seeds[1]))
        _read_all(f"npz:{path}", rng)
        return True

    return attempt


def _read_all(spec: str, rng: random.Random) -> None:
    found = open_images(spec, grey=rng.random() < 0.2, resize=rng.choice((None, None, 8)))
    found.read(list(range(min(len(found), 8))))
    assert found.fingerprint


def images(folder: Path) -> Try:
    (folder / "a").mkdir()
    seeds = contents.images(random.Random(0))

    def attempt(number: int) -> bool:
        rng = _drawn("images", number)
        ending, data = rng.choice(seeds)
        if rng.random() < 0.2:
            ending = rng.choice(("jpg", "png", "tif", "ppm", "webp", "bmp"))
        path = folder / "a" / f"x.{ending}"
        path.write_bytes(data if rng.random() < 0.1 else changed_bytes(data, rng, rng.choice(seeds)[1]))
        try:
            _read_all(f"folder:{folder}", rng)
        finally:
            path.unlink()
        return True

    return attempt


def _folder(
    folder: Path, name: str, write: Callable[[Path], Mapping[str, bytes]], read: Callable[[Path], object]
) -> Try:
    """Return tries with one file of a folder changed."""
    place = folder / "set"
    place.mkdir()
    files = write(place)

    def attempt(number: int) -> bool:
        rng = _drawn(name, number)
        changed = rng.choice(sorted(files))
        if rng.random() < 0.5:  # tables and lists more often than pictures
            changed = rng.choice([file for file in sorted(files) if file.endswith((".csv", ".json", ".npy"))])
        data = files[changed]
        if changed.endswith(".json") and rng.random() < 0.5:
            data = json.dumps(mutated(json.loads(data), number)).encode()
        elif changed.endswith((".json", ".csv")):
            data = changed_text(data.decode(), rng).encode("utf-8", "surrogatepass")
        else:
            data = changed_bytes(data, rng, files[rng.choice(sorted(files))])
        (place / changed).write_bytes(data)
        try:
            read(place)
        finally:
            (place / changed).write_bytes(files[changed])
        return True

    return attempt


def _read_probe(spec: str) -> None:
    found = open_probe(spec, (3, 4, 6))
    for index in range(len(found)):
        found.read([index])
        found.labels(index)
    assert found.fingerprint


def probe(folder: Path) -> Try:
    return _folder(folder, "probe", contents.write_probe, lambda place: _read_probe(f"probe:{place}"))


def broden(folder: Path) -> Try:
    return _folder(folder, "broden", contents.write_broden, lambda place: _read_probe(f"broden:{place}"))


def corrupted(folder: Path) -> Try:
    test = ArrayImages(np.zeros((N, *SHAPE), np.uint8), np.arange(N) % 2, "npz:test.npz")

    def read(place: Path) -> None:
        found = open_corrupted(f"cifar-c:{place}", test)
        for name, severities in found.cells.items():
            for severity in severities:
                found.read(name, severity, np.arange(N))
        assert found.fingerprint

    return _folder(folder, "corrupted", lambda place: contents.write_corrupted(place, N, SHAPE), read)


def _toml(folder: Path, name: str, text: str, read: Callable[[Path], object]) -> Try:
    path = folder / "input.toml"

    def attempt(number: int) -> bool:
        rng = _drawn(name, number)
        path.write_bytes(changed_text(text, rng).encode("utf-8", "surrogatepass"))
        read(path)
        return True

    return attempt


def config(folder: Path) -> Try:
    return _toml(folder, "config", contents.CONFIG, lambda path: resolve(config=path))


def recipe(folder: Path) -> Try:
    return _toml(folder, "recipe", contents.RECIPE, load_recipe)


def sweep_recipe(folder: Path) -> Try:
    return _toml(folder, "sweep_recipe", contents.SWEEP, load_sweep)


def assignment(folder: Path) -> Try:
    options = {name: sorted(_fields(name)) for name in CATALOGUE}

    def attempt(number: int) -> bool:
        rng = _drawn("assignment", number)
        texts = []
        for _ in range(rng.choice((1, 1, 2))):
            metric = rng.choice(list(options))
            option = rng.choice([*options[metric], "margin", "x", "name", "self", "__dataclass_self__"])
            value = rng.choice((contents.number(rng), rng.choice(TEXTS), f"[{contents.number(rng)}]", "{a = 1}"))
            text = f"{metric}.{option}={value}"
            texts.append(changed_text(text, rng) if rng.random() < 0.3 else text)
        resolve(options=parse_assignments(texts))
        return True

    return attempt


def _fields(metric: str) -> list[str]:
    from dataclasses import fields

    return [field.name for field in fields(metric_class(metric))]  # type: ignore[arg-type]


def option(folder: Path) -> Try:
    """Options of every command, parsed and checked; no command is run."""
    from sparsescope.cli.group import sparsescope

    texts = [text for text in TEXTS if text not in ("\x00", "\ud800")]  # which no command line can hold

    def attempt(number: int) -> bool:
        rng = _drawn("option", number)
        name, command = rng.choice(sorted(sparsescope.commands.items()))
        while isinstance(command, click.Group):
            name, command = rng.choice(sorted(command.commands.items()))
        arguments = [rng.choice((*texts, "x.pt")) for _ in range(rng.randrange(4))]
        for parameter in rng.sample(command.params, min(len(command.params), rng.randrange(4))):
            if isinstance(parameter, click.Option):
                value = rng.choice((contents.number(rng), rng.choice(texts), "auto", "cuda:99"))
                arguments += [rng.choice(parameter.opts)] if parameter.is_flag else [rng.choice(parameter.opts), value]
        try:
            command.make_context(name, arguments, resilient_parsing=False)
        except (click.ClickException, click.exceptions.Exit) as error:
            raise OptionError(str(error)) from error
        return True

    return attempt


def evaluation(folder: Path) -> Try:
    path, whole = folder / "evaluation.json", written("demo")
    text = json.dumps(whole)

    def attempt(number: int) -> bool:
        rng = _drawn("evaluation", number)
        if rng.random() < 0.7:
            path.write_text(json.dumps(mutated(whole, number)))
        else:
            path.write_bytes(changed_bytes(text.encode(), rng, text.encode()))
        Evaluation.load(path).save(path)
        return True

    return attempt


def rendering(folder: Path) -> Try:
    path, whole = folder / "evaluation.json", written("demo")
    parts = (("accuracy", "corruption_error", "sce"), ("fgsm_accuracy", "ood_auroc", "ece", "nll"))
    wholes = [part_of(whole, part) for part in (*parts, ("fidelity", "stability", "composition", "weight_trace"))]
    report(Evaluation.model_validate(wholes[0]), folder / "out")  # what it imports is not the first input's

    def attempt(number: int) -> bool:
        rng = _drawn("rendering", number)
        content = mutated(rng.choice(wholes), number)
        path.write_text(json.dumps(_with_odd_text(content, rng) if rng.random() < 0.5 else content))
        report(Evaluation.load(path), folder / "out")
        return True

    return attempt


def _with_odd_text(content: Any, rng: random.Random) -> Any:
    """Return the content with one of its texts replaced everywhere."""
    text = json.dumps(content)
    names = [model["name"] for model in content.get("models", ()) if isinstance(model, dict) and "name" in model]
    old = rng.choice([*filter(lambda name: isinstance(name, str) and name, names), "features.0.weight", "circle"])
    return json.loads(text.replace(json.dumps(old), json.dumps(rng.choice(TEXTS).replace("\ud800", "x"))))


def sweep(folder: Path) -> Try:
    place = folder / "sweep"
    place.mkdir()
    make_sweep(place, methods=("lth", "omp"), sparsities=(0.2, 0.5), seeds=(0, 1), metrics=("accuracy", "nll"))
    (place / "failures.json").write_text(json.dumps([{"method": "omp", "target": 0.5, "seed": 0, "reason": "x"}]))
    paths = [place / "sweep.json", place / "failures.json", place / Sweep.load(place).points[0].evaluation]
    originals = {path: path.read_text() for path in paths}

    def attempt(number: int) -> bool:
        rng = _drawn("sweep", number)
        path = rng.choice(paths)
        whole = originals[path]
        changed = json.dumps(mutated(json.loads(whole), number)) if rng.random() < 0.6 else changed_text(whole, rng)
        path.write_bytes(changed.encode("utf-8", "surrogatepass"))
        try:
            write_sweep_report(place)
        finally:
            path.write_text(whole)
        return True

    return attempt


READERS: dict[str, Callable[[Path], Try]] = {
    "checkpoint": checkpoint, "program": program, "mask": mask, "npz": npz, "images": images, "probe": probe,
    "broden": broden,
    "corrupted": corrupted, "config": config, "recipe": recipe, "sweep_recipe": sweep_recipe,
    "assignment": assignment, "option": option, "evaluation": evaluation, "rendering": rendering, "sweep": sweep,
}  # fmt: skip
"""Every reader; the seconds of a run are shared equally."""
