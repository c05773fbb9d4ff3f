"""Artefacts that hold their network: read to the same answers, evaluated, refused where they could run code."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from tiny_task import write_images
from torch import Tensor, nn

from sparsescope import Classifier, evaluate, load_classifier, prune
from sparsescope.benchmark import Benchmark
from sparsescope.checkpoints import describe, kind_of
from sparsescope.cli.group import sparsescope
from sparsescope.errors import ArtefactError

IMAGES = torch.rand(7, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def sparse_network(small_network: nn.Module) -> nn.Module:
    prune("omp", small_network, sparsity=0.5).apply(small_network)
    return small_network.eval()


def export(network: nn.Module, path: Path) -> None:
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(network, (IMAGES[:2],), dynamic_shapes=({0: batch},)), path)


def export_fixed(network: nn.Module, path: Path) -> None:
    torch.export.save(torch.export.export(network, (IMAGES[:2],)), path)


def script(network: nn.Module, path: Path) -> None:
    torch.jit.script(network).save(path)


def trace(network: nn.Module, path: Path) -> None:
    torch.jit.trace(network, IMAGES[:2]).save(path)


def pickle_whole(network: nn.Module, path: Path) -> None:
    torch.save(network, path)


def export_onnx(network: nn.Module, path: Path) -> None:
    pytest.importorskip("onnxscript")
    torch.onnx.export(network, (IMAGES[:2],), path, dynamic_shapes=({0: "batch"},), dynamo=True, verbose=False)


def export_onnx_fixed(network: nn.Module, path: Path) -> None:
    pytest.importorskip("onnxscript")
    torch.onnx.export(network, (IMAGES[:2],), path, dynamo=True, verbose=False, external_data=False)


Writer = Callable[[nn.Module, Path], None]
WRITERS: dict[str, Writer] = {
    "dynamic.pt2": export,
    "fixed.pt2": export_fixed,
    "script.ts": script,
    "trace.ts": trace,
    "network.onnx": export_onnx,
    "fixed.onnx": export_onnx_fixed,
    "whole.pt": pickle_whole,
}


def write(name: str, network: nn.Module, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own
        WRITERS[name](network, folder / name)
    return folder / name


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.parametrize("name", WRITERS)
def test_answers_and_sparsity_are_those_of_the_source(name: str, sparse_network: nn.Module, tmp_path: Path) -> None:
    path = write(name, sparse_network, tmp_path)
    found = load_classifier(path, trust_pickle=True)
    source = Classifier(sparse_network)
    with torch.no_grad(), found.prepared(), source.prepared():
        torch.testing.assert_close(found(IMAGES), source(IMAGES), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found(IMAGES[:1]), source(IMAGES[:1]), rtol=1e-5, atol=1e-5)
    if "onnx" not in name:
        assert (found.sparsity.parameters, found.sparsity.nonzero) == (
            source.sparsity.parameters,
            source.sparsity.nonzero,
        )
    assert found.sparsity.prunable == pytest.approx(source.sparsity.prunable, abs=0.02)
    described = describe(path, trust_pickle=True)
    assert described.bytes is not None and described.bytes >= path.stat().st_size and described.parameters > 0


@pytest.mark.parametrize("name", WRITERS)
def test_everything_that_its_kind_allows_is_measured(
    name: str, sparse_network: nn.Module, small_benchmark: Benchmark, tmp_path: Path
) -> None:
    path = write(name, sparse_network, tmp_path)
    found = evaluate(
        Classifier(sparse_network, name="dense"),
        path,
        small_benchmark,
        metrics=["accuracy", "ece", "ood_auroc", "fgsm_accuracy", "input_trace", "weight_trace"],
        trust_pickle=True,
        cache=False,
    )
    reasons = {metric.name: metric.values[path.stem].reason for metric in found.metrics}
    gradients = {"fgsm_accuracy", "input_trace", "weight_trace"}
    for metric in found.metrics:
        own, dense = metric.values[path.stem], metric.values["dense"]
        if "onnx" in name and metric.name in gradients:
            assert reasons[metric.name] == "ONNX Runtime gives no gradients"
        elif metric.name == "weight_trace" and "pt2" in name:
            assert own.value is not None or own.reason
        else:
            assert own.value == pytest.approx(dense.value, rel=0.02, abs=1e-5), (metric.name, own.reason)
    statement = found.verdict(path.stem).statement
    assert ("cannot be measured of such a model" in statement) == ("onnx" in name)


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "whole.pt"])
def test_truncated_files_are_refused(name: str, small_network: nn.Module, tmp_path: Path) -> None:
    content = write(name, small_network.eval(), tmp_path).read_bytes()
    for share in (0.02, 0.5, 0.98):
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        with pytest.raises(ArtefactError, match=name):
            load_classifier(tmp_path / name)


def test_a_pickled_network_is_read_only_where_its_maker_is_trusted(small_network: nn.Module, tmp_path: Path) -> None:
    path = write("whole.pt", small_network, tmp_path)
    with pytest.raises(ArtefactError, match="give --trust-pickle"):
        load_classifier(path)
    assert kind_of(path) is None
    told = CliRunner().invoke(sparsescope, ["inspect", str(path), "--trust-pickle"])
    assert told.exit_code == 0 and "pickled network" in told.stdout
    torch.save({"model": small_network, "epoch": 3}, path)
    with pytest.raises(ArtefactError, match="holds a dict with keys"):
        load_classifier(path, trust_pickle=True)


def changed(path: Path, change: Callable[[str, bytes], bytes | None], **more: bytes) -> Path:
    """Rewrite an archive member by member."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if (new := change(name, content)) is not None:
                archive.writestr(name, new)
        root = next(iter(members)).partition("/")[0]
        for name, content in more.items():
            archive.writestr(f"{root}/{name.replace('__', '/')}", content)
    return path


class Touch:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def model_text(change: Callable[[str], str]) -> Callable[[str, bytes], bytes]:
    return lambda name, content: change(content.decode()).encode() if name.endswith("models/model.json") else content


HOSTILE: dict[str, Callable[[Path, Path], Path]] = {
    "a shape that is code": lambda path, mark: changed(
        path,
        model_text(lambda text: text.replace("Symbol('", f"__import__('pathlib').Path('{mark}').touch() or Symbol('")),
    ),
    "an operator that is no operator": lambda path, mark: changed(
        path, model_text(lambda text: text.replace("torch.ops.aten.relu.default", "torch.serialization.os.system"))
    ),
    "a compiled library": lambda path, mark: changed(
        path, lambda name, c: c, data__aotinductor__model__a_so=b"\x7fELF"
    ),
    "a pickled constant": lambda path, mark: changed(
        path, lambda name, c: c, data__constants__opaque_obj_0=b"\x80\x04N."
    ),
    "pickled sample inputs": lambda path, mark: changed(
        path, lambda name, c: _pickled(Touch(mark)) if "sample_inputs" in name else c
    ),
    "pickled weights": lambda path, mark: changed(
        path,
        lambda name, c: (
            _pickled(Touch(mark))
            if name.endswith("weight_0")
            else c.replace(b'"use_pickle": false', b'"use_pickle": true')
            if "weights_config" in name
            else c
        ),
    ),
}


def _pickled(value: object) -> bytes:
    content = io.BytesIO()
    torch.save(value, content)
    return content.getvalue()


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_program_that_could_run_code_is_refused(kind: str, small_network: nn.Module, tmp_path: Path) -> None:
    path, mark = write("dynamic.pt2", small_network.eval(), tmp_path), tmp_path / "ran"
    before = path.read_bytes()
    HOSTILE[kind](path, mark)
    assert path.read_bytes() != before
    with pytest.raises(ArtefactError, match=r"could run code|Python objects"):
        load_classifier(path)
    assert not mark.exists()


def test_checks_of_inputs_that_a_program_brings_are_not_run(small_network: nn.Module, tmp_path: Path) -> None:
    path, mark = write("dynamic.pt2", small_network.eval(), tmp_path), tmp_path / "ran"

    def guarded(text: str) -> str:
        document = json.loads(text)
        document["guards_code"] = [f"__import__('pathlib').Path({str(mark)!r}).touch() or True"]
        return json.dumps(document)

    found = load_classifier(changed(path, model_text(guarded)))
    with torch.no_grad():
        found(IMAGES)
    assert not mark.exists()


def test_scripts_that_read_or_write_files_are_refused(small_network: nn.Module, tmp_path: Path) -> None:
    path = write("script.ts", small_network.eval(), tmp_path)
    text = b"    torch.save(input, 'a')\n    return "
    changed(path, lambda name, c: c.replace(b"    return ", text, 1) if name.endswith(".py") else c)
    with pytest.raises(ArtefactError, match=r"calls torch\.save in code/"):
        load_classifier(path)


def test_onnx_after_quantization(sparse_network: nn.Module, tmp_path: Path) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    path = write("network.onnx", sparse_network, tmp_path)
    quantization.quantize_dynamic(path, tmp_path / "int8.onnx", weight_type=quantization.QuantType.QUInt8)
    found, source = load_classifier(tmp_path / "int8.onnx"), load_classifier(path)
    session = found.module.session  # type: ignore[operator]
    answers = session.run(None, {session.get_inputs()[0].name: IMAGES.numpy()})[0]  # type: ignore[union-attr, operator]
    np.testing.assert_allclose(found(IMAGES), answers, atol=1e-6)
    assert source.sparsity.prunable <= found.sparsity.prunable < source.sparsity.prunable + 0.05
    assert found.lacks["gradients"] == "ONNX Runtime gives no gradients"


def test_onnx_of_weights_elsewhere_and_of_other_inputs(small_network: nn.Module, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = write("fixed.onnx", small_network.eval(), tmp_path)
    model = onnx.load(path)
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="../secret.bin")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArtefactError, match="outside of its folder"):
        load_classifier(path)
    text = write("fixed.onnx", nn.Flatten(), tmp_path)
    model = onnx.load(text)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    text.write_bytes(model.SerializeToString())
    with pytest.raises(ArtefactError, match="expected one input, images"):
        load_classifier(text)


def test_a_program_of_two_inputs_is_refused(tmp_path: Path) -> None:
    class Pair(nn.Module):
        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            return first + second

    torch.export.save(torch.export.export(Pair(), (IMAGES, IMAGES)), tmp_path / "pair.pt2")
    with pytest.raises(ArtefactError, match="expected a program of one input"):
        load_classifier(tmp_path / "pair.pt2")


def test_onnx_from_the_command_line_with_workers(tmp_path: Path) -> None:
    """The float export of the very same network passes; what another runtime cannot give is named."""
    write_images(tmp_path / "test.npz", 400, 1)
    bands = nn.Linear(3, 3)
    with torch.no_grad():
        bands.weight.copy_(20 * torch.eye(3))
    network = nn.Sequential(nn.AvgPool2d((4, 12)), nn.Flatten(), bands).eval()
    torch.jit.script(network).save(tmp_path / "dense.ts")
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = torch.rand(2, 1, 12, 12)
        torch.onnx.export(network, (shown,), tmp_path / "d.onnx", dynamic_shapes=({0: "batch"},), verbose=False)
    arguments = ["evaluate", str(tmp_path / "dense.ts"), str(tmp_path / "d.onnx"), "--data", f"npz:{tmp_path}/test.npz"]
    chosen = ["--metric", "accuracy", "--metric", "nll", "--metric", "fgsm_accuracy", "--workers", "2", "--no-cache"]
    told = CliRunner().invoke(
        sparsescope, [*arguments, *chosen, "--out", str(tmp_path / "out"), "--gate", "inconclusive"]
    )
    assert "NOT EVALUATED: ONNX Runtime gives no gradients" in " ".join(told.stdout.split()), told.stderr
    assert "d: PASS (partial verdict: fgsm_accuracy cannot be measured of such a model)" in told.stdout, told.stdout
    assert told.exit_code == 0, told.stderr
