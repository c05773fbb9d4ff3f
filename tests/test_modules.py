"""Modules as users hand them over: wrapped, compiled, lazy, on meta, quantized, of another precision, TorchScript."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, DataError, NotEvaluated
from sparsescope.evaluation import evaluate
from sparsescope.mask import Mask
from sparsescope.metrics.fgsm_accuracy import FgsmAccuracy
from sparsescope.results import Evaluation

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore:.*deprecated", "ignore:.*quantiz")

SETTINGS: dict[str, Any] = {
    "metrics": ["accuracy", "fgsm_accuracy", "weight_trace", "input_trace"],
    "preset": "quick",
    "replicates": 100,
    "device": "cpu",
    "cache": False,
}


def compiled(module: nn.Module) -> nn.Module:
    return torch.compile(module, backend="aot_eager")  # type: ignore[return-value]


def compiled_within(module: nn.Module) -> nn.Module:
    module[0] = compiled(module[0])  # type: ignore[index,operator]
    module[3].compile(backend="aot_eager")  # type: ignore[index,operator]
    return module


def from_inference_mode(module: nn.Module) -> nn.Module:
    with torch.inference_mode():
        return copy.deepcopy(module)


def exported(module: nn.Module) -> nn.Module:
    batch = torch.export.Dim.AUTO  # type: ignore[attr-defined]
    program = torch.export.export(module.eval(), (torch.rand(2, 3, 8, 8),), dynamic_shapes=({0: batch},))
    return program.module()


def measured(evaluation: Evaluation, model: str) -> dict[str, float | None]:
    return {metric.name: metric.values[model].value for metric in evaluation.metrics}


FORMS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "compiled": compiled,
    "compiled within": compiled_within,
    "DataParallel": nn.DataParallel,
    "averaged": torch.optim.swa_utils.AveragedModel,
    "compiled DataParallel": lambda module: compiled(nn.DataParallel(module)),
    "inference mode": from_inference_mode,
    "double": lambda module: module.double(),
    "scripted": torch.jit.script,
    "deep copy of a script": lambda module: copy.deepcopy(torch.jit.script(module)),
    "traced": lambda module: torch.jit.trace(module.eval(), torch.rand(2, 3, 8, 8)),
    "exported": exported,
}


@pytest.mark.parametrize("form", FORMS)
def test_is_measured_as_the_plain_network(form: str, small_network: nn.Module, small_benchmark: Benchmark) -> None:
    given = FORMS[form](copy.deepcopy(small_network))
    before = {name: (tensor.dtype, tensor.clone()) for name, tensor in given.state_dict().items()}
    kind, call = type(given), [getattr(child, "_compiled_call_impl", None) for child in given.modules()]
    evaluation = evaluate(small_network, Classifier(given, name="given"), small_benchmark, **SETTINGS)
    plain = measured(evaluation, "dense")
    assert None not in plain.values()
    assert measured(evaluation, "given") == pytest.approx(plain, rel=1e-4)
    assert type(given) is kind
    assert call == [getattr(child, "_compiled_call_impl", None) for child in given.modules()]
    for name, tensor in given.state_dict().items():
        assert tensor.dtype == before[name][0] and torch.equal(tensor, before[name][1])


def test_a_wrapped_network_shares_its_weights_and_takes_masks_of_either_spelling(small_network: nn.Module) -> None:
    wrapped = compiled(nn.DataParallel(small_network))
    assert Classifier(wrapped).module is small_network
    kept = torch.ones(6, 3, 3, 3, dtype=torch.bool)
    kept[0] = False
    Mask({"0.weight": kept}).apply(small_network)
    for name in ("_orig_mod.module.0.weight", "0.weight"):
        classifier = Classifier(wrapped, mask=Mask({name: kept}, method="by hand"))
        assert (list(classifier.mask or ()), classifier.mask and classifier.mask.method) == (["0.weight"], "by hand")
    hooked = nn.DataParallel(small_network)
    hooked.register_forward_hook(lambda module, given, logits: 2 * logits)
    assert Classifier(hooked).module is hooked


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_measured_in_a_copy(
    kind: torch.dtype, small_network: nn.Module, small_benchmark: Benchmark
) -> None:
    short = copy.deepcopy(small_network).to(kind)
    evaluation = evaluate(small_network, short, small_benchmark, **SETTINGS)
    name = str(kind).removeprefix("torch.")
    assert f"has weights in {name}; a copy in float32 is measured" in evaluation.models[1].warnings
    assert evaluation.models[0].warnings == tuple(w for w in evaluation.models[0].warnings if "float32" not in w)
    plain, values = measured(evaluation, "dense"), measured(evaluation, "sparse")
    assert values == pytest.approx(plain, rel=0.1)
    assert next(short.parameters()).dtype == kind


def test_without_values_is_refused(small_network: nn.Module, small_benchmark: Benchmark) -> None:
    lazy = copy.deepcopy(small_network)
    lazy[7] = nn.LazyLinear(4)  # type: ignore[index,operator]
    with pytest.raises(ArtefactError, match=r"^7\.weight has no shape yet, as its layer is lazy: show the network a"):
        Classifier(lazy)
    normalised = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LazyBatchNorm2d())
    with pytest.raises(ArtefactError, match=r"^1\.weight has no shape yet"):
        evaluate(small_network, compiled(normalised), small_benchmark, **SETTINGS)
    with pytest.raises(ArtefactError, match=r"^0\.weight is on the device meta, which holds no values"):
        evaluate(copy.deepcopy(small_network).to("meta"), small_network, small_benchmark, **SETTINGS)
    frozen = torch.jit.freeze(torch.jit.script(small_network.eval()))
    with pytest.raises(ArtefactError, match=r"^The network was frozen by torch\.jit\.freeze, .*: give the network as"):
        evaluate(small_network, frozen, small_benchmark, **SETTINGS)


class Autocast(nn.Module):
    """Returns logits in half precision, from weights in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @override
    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            logits: Tensor = self.network(images)
        return logits


class Casting(nn.Module):
    """Casts its images itself to the precision that its weights had."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.bfloat16()

    @override
    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images.bfloat16())
        return logits.float()


def test_logits_in_half_precision_are_measured(small_network: nn.Module, small_benchmark: Benchmark) -> None:
    evaluation = evaluate(small_network, Autocast(copy.deepcopy(small_network)), small_benchmark, **SETTINGS)
    assert not any(metric.values["sparse"].broke for metric in evaluation.metrics)
    plain = measured(evaluation, "dense")
    assert measured(evaluation, "sparse")["fgsm_accuracy"] == pytest.approx(plain["fgsm_accuracy"], abs=0.1)


def test_a_cast_in_the_forward_pass_is_what_a_refusal_speaks_of(
    small_network: nn.Module, small_benchmark: Benchmark
) -> None:
    with pytest.raises(DataError, match=r"a copy in float32 is measured, but its forward pass computes in another"):
        evaluate(small_network, Casting(copy.deepcopy(small_network)), small_benchmark, **SETTINGS)


def test_a_module_of_inference_mode_is_left_as_it_was(small_network: nn.Module, small_benchmark: Benchmark) -> None:
    module = from_inference_mode(small_network)
    with pytest.raises(NotEvaluated, match="model computes in inference mode, which has no gradients"):
        FgsmAccuracy().measure(Classifier(module), small_benchmark)
    assert module.training and all(parameter.requires_grad for parameter in module.parameters())


class Tokens(nn.Module):
    """Maps that are normalized and become tokens, as in hybrids of convolutions and attention."""

    def __init__(self, norm: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.patches, self.norm, self.head = nn.Conv2d(3, 8, 3), norm, nn.Linear(8 * 36, 4)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.norm(self.patches(images)).flatten(2).transpose(1, 2)
        logits: Tensor = (tokens.flatten(1) * torch.linspace(-1, 1, 8 * 36)) @ self.head.weight.T
        return logits


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(8).eval(),
        lambda maps: nn.functional.batch_norm(maps, torch.zeros(8), torch.ones(8)),
        lambda maps: torch.batch_norm(maps, None, None, torch.zeros(8), torch.ones(8), False, 0.1, 1e-5, False),
    ],
)
def test_a_batch_of_one_has_the_gradients_of_a_larger_one(norm: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    classifier = Classifier(Tokens(norm))
    images = torch.rand(2, 3, 8, 8)

    def gradients(batch: Tensor) -> list[Tensor]:
        variables = [batch.clone().requires_grad_(), classifier.module.patches.weight]
        first, weight = torch.autograd.grad(classifier(variables[0])[0].square().sum(), variables)
        return [first[0], weight]

    for alone, among in zip(gradients(images[:1]), gradients(images), strict=True):
        torch.testing.assert_close(alone, among)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("kind", ["torch", "torchao"])
def test_networks_of_whole_numbers_give_their_answers(
    kind: str, small_network: nn.Module, small_benchmark: Benchmark
) -> None:
    network = copy.deepcopy(small_network.eval())
    if kind == "torch":
        network = torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8)
    else:
        torchao = pytest.importorskip("torchao.quantization")
        torchao.quantize_(network, torchao.Int8WeightOnlyConfig())
    found = Classifier(network)
    images = torch.rand(5, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(found(images), network(images))
        assert (found(images) - small_network(images)).abs().max() < 0.05
    assert found.sparsity.parameters == sum(parameter.numel() for parameter in small_network.parameters())
    evaluation = evaluate(
        small_network, network, small_benchmark, **SETTINGS | {"metrics": ["accuracy", "input_trace"]}
    )
    value = evaluation["input_trace"].values["sparse"]
    assert value.reason == "its weights are whole numbers, which have no gradients"
    assert evaluation["accuracy"].values["sparse"].value is not None
    assert pickle.loads(pickle.dumps(found))(images).shape == (5, 4)
