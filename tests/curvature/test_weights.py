import warnings
from itertools import pairwise

import numpy as np
import pytest
import reference_curvature as reference
import torch
from torch import nn
from torch.nn import functional

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.classifier import Classifier
from sparsescope.curvature import (
    gauss_newton_forms,
    hessian_forms,
    hessian_product,
    is_layerwise_linear,
    surviving_weights,
    top_eigenvalue,
)
from sparsescope.errors import NotEvaluated
from sparsescope.randomness import generator, rademacher


@pytest.fixture(params=[False, True], ids=["dense", "sparse"])
def mask(request):
    return request.param


def test_softmax_regression_by_hand():
    # One image x = (1, 2), two classes at p = 1/2: H = S ⊗ xxᵀ with S = [[1, -1], [-1, 1]] / 4, trace |x|² / 2.
    linear = nn.Linear(2, 2, bias=False)
    nn.init.ones_(linear.weight)
    classifier, image = Classifier(nn.Sequential(nn.Flatten(), linear)), torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)
    with surviving_weights(classifier) as support:
        product = hessian_product(classifier, support, image, np.array([0]), 1)
        np.testing.assert_allclose(product(np.array([1.0, 0, 0, 0])), [0.25, 0.5, -0.25, -0.5], rtol=1e-6)
        samples = gauss_newton_forms(classifier, support, image, np.random.default_rng(0), 64, 1)
    assert set(np.round(samples.ravel(), 5)) == {0.0, 5.0}  # A u is (u_0 - u_1) / √8 times (1, -1)


def test_products_against_the_full_hessian(make, kind, mask, images, labels):
    classifier = make(kind, mask)
    full, kept = reference.weight_hessian(classifier, images, labels)
    vector = np.random.default_rng(0).standard_normal(sum(p.numel() for p in classifier.module.parameters()))
    expected = np.zeros(len(vector))
    expected[kept] = full @ vector[kept]
    with classifier.prepared(), surviving_weights(classifier) as support:
        assert (support.size, support.surviving) == (len(vector), len(kept))
        for size in (1, 4, 200):
            product = hessian_product(classifier, support, images, labels, size)
            for _ in range(2):  # the second product reuses the retained graph
                np.testing.assert_allclose(product(vector), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
            forms = hessian_forms(classifier, support, images, labels, [vector, -2 * vector], size)
            value = vector[kept] @ full @ vector[kept]
            np.testing.assert_allclose(forms.sum(axis=1), [value, 4 * value], rtol=1e-4, atol=1e-4)
        found = top_eigenvalue(product, support.size, np.random.default_rng(1), 1e-4)
    eigenvalues = np.linalg.eigvalsh(full)
    assert found.value[0] == pytest.approx(eigenvalues[-1], rel=1e-3)
    assert found.residual[0] <= 1e-4 * found.value[0] or found.products[0] == support.size


def test_every_sign_vector_gives_the_trace(images, labels):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.Tanh(), nn.Linear(2, 3, bias=False))
    classifier = Classifier(network)
    small = images[:, :1, :1, :2]
    signs = 2.0 * ((np.arange(1024)[:, None] >> np.arange(10)) & 1) - 1
    with classifier.prepared(), surviving_weights(classifier) as support:
        forms = hessian_forms(classifier, support, small, labels % 3, list(signs), 6)
    full, _ = reference.weight_hessian(classifier, small, labels % 3)
    assert forms.sum(axis=1).mean() == pytest.approx(np.trace(full), rel=1e-5)
    np.testing.assert_allclose(
        forms.mean(axis=0), [np.trace(full[:4, :4]), np.trace(full[4:, 4:])], rtol=1e-4, atol=1e-6
    )


def gauss_newton_means(classifier, images, monkeypatch):
    """Return the mean over all 2^(2 x 4) signs of two images and four classes, for each parameter tensor."""
    signs = (2.0 * ((np.arange(256)[:, None] >> np.arange(8)) & 1) - 1).astype(np.float32)
    monkeypatch.setattr("sparsescope.curvature.weights.rademacher", lambda rng, size: signs.ravel())
    with classifier.prepared(), surviving_weights(classifier) as support:
        return gauss_newton_forms(classifier, support, images[:2], np.random.default_rng(0), 256, 1).mean(axis=0)


@pytest.mark.parametrize("kind", ["relu", "leaky relu", "max pooling", "functional relu"])
def test_every_sign_of_the_gauss_newton_samples_gives_the_hessian_trace(make, kind, mask, images, labels, monkeypatch):
    classifier = make(kind, mask)
    full, kept = reference.weight_hessian(classifier, images[:2], labels[:2])
    ends = np.cumsum([p.numel() for p in classifier.module.parameters()])
    layers = np.searchsorted(ends, kept, side="right")
    expected = [np.diag(full)[layers == layer].sum() for layer in range(len(ends))]
    means = gauss_newton_means(classifier, images, monkeypatch)
    np.testing.assert_allclose(means, expected, rtol=1e-4, atol=1e-6 * np.trace(full))


@pytest.mark.parametrize("kind", ["tied", "gelu"])
def test_other_networks_have_another_trace_than_gauss_newton(make, kind, images, labels, monkeypatch):
    classifier = make(kind)
    full, _ = reference.weight_hessian(classifier, images[:2], labels[:2])
    assert abs(gauss_newton_means(classifier, images, monkeypatch).sum() / np.trace(full) - 1) > 1e-3


def test_samples_do_not_depend_on_the_batch(make, images, labels):
    classifier = make("relu", mask=True)
    results = []
    with classifier.prepared(), surviving_weights(classifier) as support:
        for size in (1, 4, 200):
            results.append(gauss_newton_forms(classifier, support, images, generator(0, "u", 3), 5, size))
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_against_curvlinops(make, images, labels):
    from curvlinops import HessianLinearOperator

    classifier = make("gelu")
    twin = reference.doubled(classifier)
    mean, std = (torch.tensor(v).double().view(1, -1, 1, 1) for v in (classifier.mean, classifier.std))
    data = [((images.double() - mean) / std, torch.from_numpy(labels))]
    operator = HessianLinearOperator(twin.module, nn.CrossEntropyLoss(), list(twin.module.parameters()), data)
    with classifier.prepared(), surviving_weights(classifier) as support:
        probe = rademacher(np.random.default_rng(0), support.size)
        forms = hessian_forms(classifier, support, images, labels, [probe], 4)
    vector = torch.from_numpy(probe).double()
    assert forms.sum() == pytest.approx(float(vector @ (operator @ vector)), rel=1e-4)


def test_against_pyhessian(make, images, labels):
    from pyhessian import hessian

    classifier = make("relu")
    normalised = (images - torch.tensor(classifier.mean).view(1, 2, 1, 1)) / torch.tensor(classifier.std).view(
        1, 2, 1, 1
    )
    classifier.module.eval().zero_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it leaks by backward(create_graph=True), as torch warns
        peer = hessian(
            classifier.module, nn.CrossEntropyLoss(), data=(normalised, torch.from_numpy(labels)), cuda=False
        )
        torch.manual_seed(0)
        (theirs,), _ = peer.eigenvalues(maxIter=500, tol=1e-6)
    classifier.module.zero_grad()
    with classifier.prepared(), surviving_weights(classifier) as support:
        product = hessian_product(classifier, support, images, labels, 200)
        ours = top_eigenvalue(product, support.size, np.random.default_rng(0), 1e-4)
    assert ours.value[0] == pytest.approx(theirs, rel=1e-3)


def test_unused_and_integer_parameters_are_allowed(images, labels):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.unused = nn.Linear(18, 4), nn.Linear(3, 3)
            self.step = nn.Parameter(torch.zeros(2, dtype=torch.int64), requires_grad=False)

        def forward(self, images):
            return self.head(images.flatten(1))

    classifier = Classifier(Network())
    with classifier.prepared(), surviving_weights(classifier) as support:
        assert support.size == 18 * 4 + 4 + 9 + 3
        probe = np.ones(support.size)
        forms = hessian_forms(classifier, support, images, labels, [probe], 6)
        samples = gauss_newton_forms(classifier, support, images, np.random.default_rng(0), 1, 6)
    names = list(support.parameters)
    for name in ("unused.weight", "unused.bias"):
        assert forms[0, names.index(name)] == samples[0, names.index(name)] == 0
    assert samples.sum() > 0


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(18, 4)

    def forward(self, images):
        if torch.is_grad_enabled() and len(images) == 2:
            raise RuntimeError("out of memory")
        return self.head(images.flatten(1))


def test_leaves_the_model_as_it_was_also_after_an_error(images, labels):
    classifier = Classifier(Broken())
    classifier.module.head.bias.requires_grad_(False)
    classifier.module.head.weight.grad = torch.ones(4, 18)
    before = {name: value.clone() for name, value in classifier.module.state_dict().items()}
    for size, error in ((6, None), (4, "out of memory")):
        try:
            with classifier.prepared(), surviving_weights(classifier) as support:
                hessian_product(classifier, support, images, labels, size)(np.ones(support.size))
                assert error is None
        except NotEvaluated as caught:
            assert str(caught) == f"model cannot be differentiated (RuntimeError): {error}"
        assert all(torch.equal(before[name], value) for name, value in classifier.module.state_dict().items())
        assert classifier.module.training
        assert (classifier.module.head.weight.requires_grad, classifier.module.head.bias.requires_grad) == (True, False)
        assert torch.equal(classifier.module.head.weight.grad, torch.ones(4, 18))
        assert not classifier.module._forward_hooks


def test_logits_without_weights_are_not_evaluated(images, labels):
    class Constant(nn.Module):
        def forward(self, images):
            return functional.avg_pool2d(images, 3).flatten(1)

    classifier = Classifier(Constant())
    with (
        pytest.raises(NotEvaluated, match="the logits of model have no gradient in its weights"),
        surviving_weights(classifier) as support,
    ):
        hessian_product(classifier, support, images, labels, 6)


def test_residual_networks_have_the_diagonal_of_their_gauss_newton_matrix():
    # Single entries of ResNet-20's Hessian, in every seventh tensor, by e_jᵀHe_j and from the Jacobian of one image.
    torch.manual_seed(0)
    classifier, image = Classifier(resnet20s()), torch.rand(1, 3, 32, 32)
    with classifier.prepared(), surviving_weights(classifier) as support:
        parameters = list(support.parameters.values())
        logits = classifier(image)
        rows = [torch.autograd.grad(logits[0, k], parameters, retain_graph=True) for k in range(10)]
        jacobian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows]).double()
        p = logits[0].detach().double().softmax(0).unsqueeze(1)
        diagonal = (p * (jacobian - (p * jacobian).sum(0)).square()).sum(0).numpy()
        starts = np.cumsum([0] + [parameter.numel() for parameter in parameters])
        product = hessian_product(classifier, support, image, np.array([3]), 1)
        for start, end in list(pairwise(starts))[::7]:
            entry = start + int(diagonal[start:end].argmax())
            unit = np.zeros(support.size)
            unit[entry] = 1
            assert product(unit)[entry] == pytest.approx(diagonal[entry], rel=1e-3)
    with classifier.prepared():
        assert is_layerwise_linear(classifier, (3, 32, 32))
