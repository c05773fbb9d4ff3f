import numpy as np
import pytest
import reference_curvature as reference
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.classifier import Classifier
from sparsescope.curvature import input_curvatures, inputs
from sparsescope.curvature.inputs import exact_curvatures, forward_passes, sampled_curvatures
from sparsescope.errors import NotEvaluated
from sparsescope.passes import Passes

IDS = np.arange(6) * 10


@pytest.fixture
def hessians(images, labels):
    return lambda classifier: np.stack(
        [reference.input_hessian(classifier, x, y) for x, y in zip(images, labels, strict=True)]
    )


def test_linear_softmax_by_hand():
    # Two classes with p = 1/2: S = [[1, -1], [-1, 1]] / 4, and the Hessian is (w_0 - w_1)(w_0 - w_1)ᵀ / 4 / std².
    linear = nn.Linear(2, 2, bias=False)
    linear.weight.data = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    classifier = Classifier(nn.Sequential(nn.Flatten(), linear), mean=(0.5,), std=(0.5,))
    found = input_curvatures(classifier, torch.full((1, 1, 1, 2), 0.5), np.array([0]), np.array([0]))
    assert found.exact
    np.testing.assert_allclose([found.trace[0], found.top_eigenvalue[0]], [25.0, 25.0], rtol=1e-6)


def test_exact_against_the_full_hessian(make, kind, images, labels, hessians):
    classifier = make(kind)
    full = hessians(classifier)
    with classifier.prepared():
        found = input_curvatures(classifier, images, labels, IDS)
    if kind in {"gelu", "functional silu"}:
        assert not found.exact
    else:
        assert found.exact
        np.testing.assert_allclose(found.trace, np.trace(full, axis1=1, axis2=2), rtol=1e-5)
        np.testing.assert_allclose(found.top_eigenvalue, np.linalg.eigvalsh(full)[:, -1], rtol=1e-5)
        assert not found.residual.any()


def test_sampled_agrees_within_its_noise(make, kind, images, labels, hessians):
    classifier, probes = make(kind), 400
    full = hessians(classifier)
    with classifier.prepared():
        found = input_curvatures(classifier, images, labels, IDS, method="hutchinson", probes=probes)
    assert not found.exact
    # Rademacher probes: the variance of vᵀHv is twice the squared sum of the entries off the diagonal.
    variance = 2 * ((full**2).sum(axis=(1, 2)) - (np.diagonal(full, axis1=1, axis2=2) ** 2).sum(axis=1))
    live = variance > 1e-12
    assert live.sum() >= 4
    z = (found.trace - np.trace(full, axis1=1, axis2=2))[live] / np.sqrt(variance[live] / probes)
    assert np.abs(z).max() < 4
    assert np.abs(z).max() > 0.1
    top = np.linalg.eigvalsh(full)[:, -1]
    assert (np.abs(found.top_eigenvalue - top) <= found.residual + 1e-5 * top).all()
    assert (found.residual <= 1.01e-2 * np.abs(found.top_eigenvalue)).all()


def test_mean_over_every_sign_vector_is_the_trace(images, labels, monkeypatch):
    torch.manual_seed(0)
    classifier = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 3)))
    small, full = images[:, :1, :2], []
    signs = 2.0 * ((np.arange(64)[:, None] >> np.arange(6)) & 1) - 1
    monkeypatch.setattr("sparsescope.curvature.inputs.rademacher", lambda rng, size: signs.astype(np.float32).ravel())
    found = input_curvatures(classifier, small, labels % 3, IDS, probes=64)
    full = [np.trace(reference.input_hessian(classifier, x, y)) for x, y in zip(small, labels % 3, strict=True)]
    np.testing.assert_allclose(found.trace, full, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("kind", ["relu", "gelu"])
def test_does_not_depend_on_the_batch(make, kind, images, labels):
    classifier = make(kind)
    with classifier.prepared():
        whole = input_curvatures(classifier, images, labels, IDS, batch_size=200)
        for size in (1, 4):
            other = input_curvatures(classifier, images, labels, IDS, batch_size=size)
            np.testing.assert_allclose(other.trace, whole.trace, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(other.top_eigenvalue, whole.top_eigenvalue, rtol=1e-5, atol=1e-5)
        alone = input_curvatures(classifier, images[4:5], labels[4:5], IDS[4:5])
        np.testing.assert_allclose(alone.trace, whole.trace[4:5], rtol=1e-5)


def test_large_jacobians_are_cut_into_pieces(make, images, labels, monkeypatch):
    classifier = make("relu")
    with classifier.prepared():
        expected = exact_curvatures(classifier, images)
    monkeypatch.setattr("sparsescope.curvature.inputs._JACOBIAN_ENTRIES", 2 * 4 * 18)
    shapes = []
    classifier.module.register_forward_pre_hook(lambda module, inputs: shapes.append(len(inputs[0])))
    with classifier.prepared():
        found = input_curvatures(classifier, images, labels, IDS)
    np.testing.assert_allclose(found.trace, expected[0], rtol=1e-6)
    assert shapes[-3:] == [2, 2, 2]


def test_confident_images_keep_their_precision():
    # p = 1 - 1e-12 in class 0, so 1 - p is 0 in float32; the trace of two classes is p (1 - p) ‖w_0 - w_1‖².
    linear = nn.Linear(2, 2)
    linear.weight.data, linear.bias.data = torch.tensor([[1.0, 1.0], [0.0, 0.0]]), torch.tensor([27.631021, 0.0])
    network = nn.Sequential(nn.Flatten(), linear)
    found = input_curvatures(Classifier(network), torch.zeros(1, 1, 1, 2), np.array([0]), np.array([0]))
    assert found.trace[0] == pytest.approx(2e-12, rel=1e-4)


def test_many_classes_are_sampled_unless_asked(images, labels):
    torch.manual_seed(0)
    few, many = (Classifier(nn.Sequential(nn.Flatten(), nn.Linear(18, classes))) for classes in (129, 130))
    assert input_curvatures(few, images, labels, IDS, probes=1).exact
    assert not input_curvatures(many, images, labels, IDS, probes=50).exact
    assert input_curvatures(many, images, labels, IDS, method="exact").exact


@pytest.mark.parametrize("kind", ["gelu", "relu of many classes"])
def test_what_is_not_asked_for_takes_no_passes(kind, make, images, labels):
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(18, 130))
    classifier = make("gelu") if kind == "gelu" else Classifier(linear)

    def asked(**what):
        classifier.passes = Passes()
        found = input_curvatures(classifier, images, labels, IDS, batch_size=50, **what)
        return found, classifier.passes.input_products, classifier.passes.input_gradients

    with classifier.prepared():
        both, products, gradients = asked()
        trace, for_trace, gradients_for_trace = asked(eigenvalue=False)
        top, for_top, _ = asked(probes=0)
    n = len(images)
    np.testing.assert_array_equal(trace.trace, both.trace)
    np.testing.assert_array_equal(top.top_eigenvalue, both.top_eigenvalue)
    assert np.isnan(trace.top_eigenvalue).all() and np.isnan(trace.residual).all() and np.isnan(top.trace).all()
    assert (for_trace, for_top) == ((2 + 4 * n, products - 4 * n) if kind == "gelu" else (2, products))
    assert gradients == gradients_for_trace + (0 if kind == "gelu" else n)


def test_lanczos_starts_where_the_curvature_is(make, images, labels, monkeypatch):
    """From there it takes fewer products than from a random vector, to the same eigenvalue."""
    classifier = make("gelu")
    start, found, products = inputs._start, [], []
    with classifier.prepared():
        for chosen in (start, lambda margin, *key: start(torch.zeros_like(margin), *key)):
            monkeypatch.setattr(inputs, "_start", chosen)
            classifier.passes = Passes()
            found.append(input_curvatures(classifier, images, labels, IDS, probes=0).top_eigenvalue)
            products.append(classifier.passes.input_products)
    np.testing.assert_allclose(*found, rtol=1e-3)
    assert products[0] < products[1]


def test_many_classes_are_sampled_in_their_own_space(images, labels):
    torch.manual_seed(0)
    classifier, probes = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(18, 9))), 500
    j = classifier.module[1].weight.detach().double().numpy()
    exact = exact_curvatures(classifier, images)[0]
    found = sampled_curvatures(classifier, images, labels, IDS, probes, 0, in_classes=True)
    # J is the same for all images; the variance is that of Rademacher probes on the 9 x 9 matrix AAᵀ.
    p = classifier(images).detach().double().softmax(1).numpy()
    a = np.sqrt(p)[:, :, None] * (j - np.einsum("nk,kd->nd", p, j)[:, None])
    gram = np.matmul(a, a.transpose(0, 2, 1))
    diagonal = np.diagonal(gram, axis1=1, axis2=2)
    z = (found[0] - exact) / np.sqrt(2 * ((gram**2).sum((1, 2)) - (diagonal**2).sum(1)) / probes)
    assert 0.1 < np.abs(z).max() < 4
    pixels = sampled_curvatures(classifier, images, labels, IDS, probes, 0)
    np.testing.assert_allclose(found[1], pixels[1], rtol=2e-3)


def test_mean_over_every_class_sign_vector_is_the_trace(make, images, labels, monkeypatch):
    classifier = make("relu")
    signs = 2.0 * ((np.arange(16)[:, None] >> np.arange(4)) & 1) - 1
    monkeypatch.setattr("sparsescope.curvature.inputs.rademacher", lambda rng, size: signs.astype(np.float32).ravel())
    with classifier.prepared():
        expected = exact_curvatures(classifier, images)[0]
        found = sampled_curvatures(classifier, images, labels, IDS, 16, 0, in_classes=True)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_sampling_shows_whole_batches(images, labels, monkeypatch):
    """Batches are cut for the sake of Jacobians only where there are Jacobians."""
    torch.manual_seed(0)
    monkeypatch.setattr("sparsescope.curvature.inputs._JACOBIAN_ENTRIES", 1)
    shapes = []
    classifier = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(18, 150)))
    classifier.module.register_forward_pre_hook(lambda module, inputs: shapes.append(len(inputs[0])))
    assert not input_curvatures(classifier, images[:4], labels[:4], IDS[:4], probes=2).exact
    assert shapes[-1] == 4
    monkeypatch.setattr("sparsescope.curvature.inputs._VECTOR_ENTRIES", 2 * 64 * 18)
    input_curvatures(classifier, images[:4], labels[:4], IDS[:4], probes=2)
    assert shapes[-2:] == [2, 2]


def test_cost_in_forward_passes():
    assert forward_passes(10) == 10
    assert forward_passes(1000, method="exact") == 1000
    assert forward_passes(1000, probes=5, eigenvalue=False) == 1 + 1 + 5
    assert forward_passes(1000, probes=5) == 1 + 2 + 5 + 4 * 4
    assert forward_passes(1000, method="hutchinson", probes=5) == 1 + 2 + 4 * (4 + 5)


def test_exact_is_refused_where_it_is_wrong(make, images, labels):
    with pytest.raises(NotEvaluated, match="model is not piecewise linear, so its input curvature has no exact form"):
        input_curvatures(make("gelu"), images, labels, IDS, method="exact")


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images):
        ctx.save_for_backward(images)
        return images**2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 2 * gradient * ctx.saved_tensors[0]


@pytest.mark.parametrize("branch", [0.0, 1.0])
def test_hidden_second_derivatives_are_not_evaluated(images, labels, branch):
    class Network(nn.Module):
        def forward(self, images):
            return Once.apply(images.flatten(1)) + branch * images.flatten(1)

    with pytest.raises(NotEvaluated, match="model has an operation that hides its second derivatives"):
        input_curvatures(Classifier(Network()), images, labels, IDS)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_missing_second_derivatives_are_not_evaluated(images, labels):
    network = nn.Sequential(nn.Flatten(), torch.jit.script(nn.Hardsigmoid()))
    with pytest.raises(NotEvaluated, match=r"model has no second derivatives: derivative for .* is not implemented"):
        input_curvatures(Classifier(network), images, labels, IDS)


def test_attention_has_second_derivatives(labels):
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 4)

        def forward(self, images):
            tokens = images.flatten(2)
            return self.head(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1))

    torch.manual_seed(0)
    classifier, images = Classifier(Attention()), torch.rand(6, 3, 2, 2)
    with classifier.prepared():
        found = input_curvatures(classifier, images, labels, IDS, probes=2)
    with sdpa_kernel(SDPBackend.MATH):
        full = np.stack([reference.input_hessian(classifier, x, y) for x, y in zip(images, labels, strict=True)])
    np.testing.assert_allclose(found.top_eigenvalue, np.linalg.eigvalsh(full)[:, -1], rtol=2e-3)


def test_residual_network_by_jacobian_and_by_products():
    torch.manual_seed(0)
    classifier, images, labels = Classifier(resnet20s()), torch.rand(3, 3, 32, 32), np.array([3, 5, 7])
    with classifier.prepared():
        exact = input_curvatures(classifier, images, labels, IDS[:3])
        sampled = input_curvatures(classifier, images, labels, IDS[:3], method="hutchinson", probes=1)
    assert exact.exact
    assert not sampled.exact
    assert (
        np.abs(exact.top_eigenvalue - sampled.top_eigenvalue) <= sampled.residual + 1e-4 * exact.top_eigenvalue
    ).all()
    assert (exact.trace >= exact.top_eigenvalue).all()
