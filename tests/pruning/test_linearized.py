"""SynFlow on networks that are not of ReLUs: it scores them as their twins of ReLUs, and no function loses flow."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import sparsescope as ss
from sparsescope.errors import InputError, SparsescopeWarning
from sparsescope.pruning import score

pytestmark = pytest.mark.filterwarnings("ignore:SynFlow")


class Activation(nn.Module):
    """Any function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def chain(*between: nn.Module, bias: bool = False, width: int = 6) -> nn.Sequential:
    """Two convolutions and a head, with large weights, so that what saturates does; `between` comes after each."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = nn.Sequential(
            nn.Conv2d(3, width, 3, bias=bias),
            *copy.deepcopy(between),
            nn.Conv2d(width, width, 3, bias=bias),
            *copy.deepcopy(between),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(width, 4, bias=bias),
        )
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.normal_(layer.weight, std=3)
    return network


def flows(network: nn.Module, shape: tuple[int, ...] = (3, 8, 8)) -> dict[str, float]:
    return {n: float(s.sum()) for n, s in score("synflow", network, input_shape=shape, prune_head=True).items()}


def r(network: nn.Module, shape: tuple[int, ...] = (3, 8, 8)) -> float:
    """R of a network of ReLUs, by hand."""
    absolute = copy.deepcopy(network).double().eval()
    for parameter in absolute.parameters():
        parameter.data.abs_()
    return absolute(torch.ones(1, *shape, dtype=torch.float64)).sum().item()  # type: ignore[no-any-return]


LIKE_RELU = {
    "ReLU6": nn.ReLU6(),
    "ReLU6 in place": nn.ReLU6(inplace=True),
    "GELU": nn.GELU(),
    "SiLU": nn.SiLU(),
    "Hardswish in place": nn.Hardswish(inplace=True),
    "Mish": nn.Mish(),
    "Softplus": nn.Softplus(),
    "Hardtanh(0, 6)": nn.Hardtanh(0.0, 6.0),
    "relu6": Activation(functional.relu6),
    "clamp": Activation(lambda x: x.clamp(0, 6)),
    "clamp_ by name": Activation(lambda x: x.clone().clamp_(min=0, max=6)),
    "swish by hand": Activation(lambda x: torch.relu(x) * torch.sigmoid(x) * 2),
}
LIKE_IDENTITY = {
    "Tanh": nn.Tanh(),
    "tanh_ in place": Activation(lambda x: torch.tanh_(x * 1)),
    "Softsign": nn.Softsign(),
    "Hardtanh": nn.Hardtanh(),
    "arctan": Activation(torch.arctan),
    "at most 3": Activation(lambda x: x.clamp(max=3)),
    "LocalResponseNorm": nn.LocalResponseNorm(2),
}
NORMS: dict[str, nn.Module] = {
    "LayerNorm": nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.LayerNorm([6, 3, 3], bias=False)),
    "LayerNorm of channels": Activation(
        lambda x: functional.layer_norm(x.permute(0, 2, 3, 1), [6]).permute(0, 3, 1, 2)
    ),
    "InstanceNorm": nn.InstanceNorm2d(6, affine=True),
    "InstanceNorm in training": nn.InstanceNorm2d(6, track_running_stats=True),
    "GroupNorm": nn.GroupNorm(2, 6),
    "BatchNorm without statistics": nn.BatchNorm2d(6, track_running_stats=False),
    "RMSNorm": Activation(lambda x: functional.rms_norm(x, x.shape[1:])),
    "torch's": Activation(lambda x: torch.group_norm(x, 3)),
    "mean square by hand": Activation(lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6)),
    "norm by hand": Activation(lambda x: x / x.norm(dim=1, keepdim=True)),
    "standard deviation by hand": Activation(lambda x: x / (x.std(1, keepdim=True) + 1e-6)),
    "normalize": Activation(functional.normalize),
}


@pytest.mark.parametrize("activation", LIKE_RELU.values(), ids=LIKE_RELU)
def test_rectifiers_are_scored_as_relu(activation: nn.Module) -> None:
    expected = score("synflow", chain(nn.ReLU(), bias=True), input_shape=(3, 8, 8))
    found = score("synflow", chain(activation, bias=True), input_shape=(3, 8, 8))
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("activation", LIKE_IDENTITY.values(), ids=LIKE_IDENTITY)
def test_what_saturates_or_rescales_is_scored_as_the_identity(activation: nn.Module) -> None:
    found = score("synflow", chain(activation, bias=True), input_shape=(3, 8, 8))
    for name, values in zip(
        found, score("synflow", chain(nn.Identity(), bias=True), input_shape=(3, 8, 8)).values(), strict=True
    ):
        torch.testing.assert_close(found[name], values, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_normalizations_lose_no_flow(norm: nn.Module) -> None:
    found = flows(chain(nn.ReLU(), norm))
    assert list(found.values()) == pytest.approx([found["0.weight"]] * 3, rel=1e-6)


class Gate(nn.Module):
    """Squeeze and excitation, with any gate."""

    def __init__(
        self, gate: Callable[[Tensor], Tensor], multiply: Callable[[Tensor, Tensor], Tensor] = torch.mul
    ) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(6, 2, 1, bias=False), nn.Conv2d(2, 6, 1, bias=False)
        self.gate, self.multiply = gate, multiply

    def forward(self, x: Tensor) -> Tensor:
        return self.multiply(x, self.gate(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True))))))


GATES: dict[str, nn.Module] = {
    "sigmoid": Gate(torch.sigmoid),
    "hard sigmoid": Gate(nn.Hardsigmoid(inplace=True)),
    "sigmoid in place": Gate(Tensor.sigmoid_),
    "expanded": Gate(torch.special.expit, lambda x, s: x * s.expand_as(x)),
    "product in place": Gate(torch.sigmoid, lambda x, s: x.clone().mul_(s)),
    "operator in place": Gate(torch.sigmoid, lambda x, s: operator_imul(x.clone(), s)),
    "softmax over channels": Gate(lambda s: s.softmax(1)),
    "einsum": Gate(torch.sigmoid, lambda x, s: torch.einsum("nchw,ncij->nchw", x, s)),
    "softmax by hand": Gate(lambda s: s.exp() / s.exp().sum(1, keepdim=True)),
    "two gates": Gate(lambda s: torch.sigmoid(s) * torch.tanh(s)),
    "glu": Gate(lambda s: functional.glu(torch.cat([s, s], 1), 1)),
    "a kernel of one's own": Gate(torch.sigmoid, lambda x, s: functional.conv2d(x, s.view(6, 1, 1, 1), groups=6)),
}


def operator_imul(x: Tensor, factor: Tensor) -> Tensor:
    x *= factor
    return x


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_gates_lose_no_flow(gate: nn.Module) -> None:
    """Without biases all of R passes through each layer of the chain, and each layer of a gate passes on its share."""
    found = flows(chain(nn.ReLU(), gate))
    whole = found["0.weight"]
    layers = [value for name, value in found.items() if "up" not in name and "down" not in name]
    assert layers == pytest.approx([whole] * 3, rel=1e-9)
    shares = [value / whole for name, value in found.items() if "up" in name or "down" in name]
    assert all(0.4 < share < 0.7 for share in shares) and shares[0] == pytest.approx(shares[1], rel=1e-9)


class Attention(nn.Module):
    """Self-attention over pixels, by torch's module, its function or by hand."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.module = nn.MultiheadAttention(6, 2, bias=False, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        if self.kind in ("with weights", "without weights"):
            tokens, _ = self.module(tokens, tokens, tokens, need_weights=self.kind == "with weights")
        else:
            q, k, v = functional.linear(tokens, self.module.in_proj_weight).chunk(3, -1)
            if self.kind == "function":
                mixed = functional.scaled_dot_product_attention(q, k, v)
            elif self.kind == "causal":
                mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            elif self.kind == "cosine":
                mixed = (functional.normalize(q, dim=-1) @ functional.normalize(k, dim=-1).mT).softmax(-1) @ v
            else:
                mixed = (q @ k.mT * 0.4).softmax(-1) @ v
            tokens = self.module.out_proj(mixed)
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])


@pytest.mark.parametrize("kind", ["with weights", "without weights", "function", "causal", "cosine", "by hand"])
def test_attention_loses_no_flow(kind: str) -> None:
    found = flows(chain(Attention(kind)))
    assert list(found.values()) == pytest.approx([found["0.weight"]] * len(found), rel=1e-9)
    names = [name for name in found if "in_proj" in name]
    parts = score("synflow", chain(Attention(kind)), input_shape=(3, 8, 8))[names[0]].view(3, -1).sum(1)
    assert (parts / parts.sum()).tolist() == pytest.approx([0.25, 0.25, 0.5], rel=1e-9)  # query, key, value


def test_flow_is_r_where_nothing_is_replaced() -> None:
    network = chain(nn.ReLU())
    assert list(flows(network).values()) == pytest.approx([r(network)] * 3, rel=1e-9)


class Ends(nn.Module):
    """A network whose outputs go through a function at the end."""

    def __init__(self, end: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.body, self.end = chain(nn.ReLU(), bias=True), end

    def forward(self, x: Tensor) -> object:
        return self.end(self.body(x))


ENDS: dict[str, tuple[Callable[[Tensor], object], str | int]] = {
    "softmax": (nn.Softmax(1), "probabilities"),
    "softmax unnamed": (lambda x: x.softmax(1), "logits"),
    "log-softmax": (nn.LogSoftmax(1), "logits"),
    "log of softmax": (lambda x: functional.softmax(x, 1).clamp_min(1e-30).log(), "logits"),
    "reshaped": (lambda x: functional.softmax(x.flatten(1), 1).view(len(x), -1), "probabilities"),
    "sigmoid": (nn.Sigmoid(), "logits"),
    "sigmoid in place": (torch.sigmoid_, "probabilities"),
    "log-sigmoid": (nn.LogSigmoid(), "logits"),
    "in a tuple": (lambda x: (x.softmax(1), x), 0),
    "in a dictionary": (lambda x: {"p": x.softmax(1)}, "p"),
}


@pytest.mark.parametrize(("end", "output"), ENDS.values(), ids=ENDS)
def test_outputs_are_added_up_before_what_squashes_them(end: Callable[[Tensor], object], output: str | int) -> None:
    plain = Ends(nn.Identity())
    expected = ss.prune("synflow", ss.Classifier(plain), sparsity=0.7, input_shape=(3, 8, 8), steps=4)
    with pytest.warns(SparsescopeWarning, match="adds up the outputs before the softmax or sigmoid at the end"):
        found = ss.prune(
            "synflow", ss.Classifier(Ends(end), output=output), sparsity=0.7, input_shape=(3, 8, 8), steps=4
        )
    assert all(torch.equal(found[name], kept) for name, kept in expected.items())


class _Unseen(torch.autograd.Function):
    """A softmax as code in C++ or scripts computes it: no function of torch is called."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        with torch._C.DisableTorchFunction():
            context.save_for_backward(x.softmax(1))
            return x.softmax(1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (p,) = context.saved_tensors
        return p * (gradient - (gradient * p).sum(1, keepdim=True))


def test_a_softmax_that_cannot_be_seen_is_refused() -> None:
    unseen = Ends(lambda x: _Unseen.apply(x))
    with pytest.raises(InputError, match=r"no softmax or sigmoid is seen at its end. Give the network without"):
        ss.prune("synflow", ss.Classifier(unseen, output="probabilities"), input_shape=(3, 8, 8))
    with pytest.raises(
        InputError, match=r"sum of outputs, 1, does not depend on the weights: at most .* passes through"
    ):
        ss.prune("synflow", unseen, input_shape=(3, 8, 8))


def test_what_is_linearized_is_said_once(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    ss.prune("synflow", chain(nn.ReLU6(), GATES["sigmoid"]), input_shape=(3, 8, 8), steps=5)
    said = [str(each.message) for each in recwarn if each.category is SparsescopeWarning]
    assert len(said) == 1 and said[0].endswith("activations: hardtanh (2), mul (2), sigmoid (2).")
    recwarn.clear()
    ss.prune("synflow", chain(nn.ReLU(), nn.BatchNorm2d(6)), input_shape=(3, 8, 8), steps=5)
    assert not recwarn.list


def test_no_layer_collapses_where_activations_saturate() -> None:
    """ReLU6 and hard-sigmoid gates saturate at these weights, so that no gradient would pass them."""
    mask = ss.prune("synflow", chain(nn.ReLU6(), GATES["hard sigmoid"]), sparsity=0.97, input_shape=(3, 8, 8))
    assert all(bool(kept.any()) for kept in mask.values())
