"""LIME's cost as a ratio to the bare forward passes of as many images, and beside its peers.

ResNet-20 on 32 px images, one thread. The peers get the same images and superpixels, each once as it is called by
default (lime: batches of 10; captum: one perturbation per forward pass) and once with batches as large as ours. lime
gets what its users hand over: the image (H, W, 3) and a function of a batch (n, H, W, 3), whose transposed view is what
the network sees: channels last, which this network likes and wide ones do not (decision 4). Both give one explanation,
ours also its stability.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from captum.attr import Lime
from lime.lime_image import LimeImageExplainer
from threadpoolctl import threadpool_limits

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.lime import Shown
from sparsescope.measurements.explanations import Explanations
from tests.benchmarks.harness import Options, Row, interleaved

_IMAGES, _SAMPLES, _BATCH = 3, 1000, 16


def images(n: int) -> np.ndarray:
    """Smooth random images uint8 (n, 32, 32, 3) in which felzenszwalb finds about as many parts as in CIFAR-10's."""
    coarse = torch.rand(n, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, size=32, mode="bicubic").clamp(0, 1)
    return (fine * 255).byte().numpy().transpose(0, 2, 3, 1)


def by_lime(classifier: Classifier, shown: Sequence[Shown], samples: int, size: int) -> None:
    """Explain every image by the package lime, in batches of `size`."""

    def probabilities(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return classifier(torch.from_numpy(batch).permute(0, 3, 1, 2).float()).softmax(1).numpy()

    for item in shown:
        with contextlib.redirect_stderr(io.StringIO()):  # it draws a progress bar
            LimeImageExplainer(kernel_width=0.25, random_state=0).explain_instance(
                np.ascontiguousarray(item.image.numpy().transpose(1, 2, 0), dtype=np.double),
                probabilities,
                top_labels=1,
                hide_color=0,
                num_samples=samples,
                batch_size=size,
                segmentation_fn=lambda _, segments=item.segments: segments,
            )


def by_captum(classifier: Classifier, shown: Sequence[Shown], samples: int, size: int) -> None:
    """Explain every image by captum, `size` perturbations per forward pass."""
    for item in shown:
        mask = torch.from_numpy(item.segments)[None, None]
        Lime(lambda batch: classifier(batch).softmax(1)).attribute(
            item.image[None], target=0, feature_mask=mask, n_samples=samples, perturbations_per_eval=size
        )


def rows(options: Options) -> Iterator[Row]:
    """Yield LIME beside bare passes, and each peer beside LIME."""
    benchmark = Benchmark("smooth", ArrayImages(images(_IMAGES), np.arange(_IMAGES) % 10))
    measurement = Explanations(samples=_SAMPLES, images=None, target="own")
    ids = measurement.unit_ids(benchmark, 0)
    shown = measurement.prepare(benchmark, ids, 0)
    batch = torch.rand(_BATCH, 3, 32, 32)

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, _IMAGES * _SAMPLES, _BATCH):
                classifier(batch[: _IMAGES * _SAMPLES - start])

    model = Classifier(resnet20s(), mean=(0.5,) * 3, std=(0.25,) * 3)
    # scikit-learn's threads would be counted against lime
    with threadpool_limits(1), model.prepared() as classifier:
        peers = {
            f"{name}, batches of {size}": (by, size, target)
            for name, by, default, target in (("lime's package", by_lime, 10, 1.0), ("captum", by_captum, 1, 4.0))
            for size in (default, _BATCH)
        }
        actions: dict[str, Callable[[], object]] = {
            "segments": lambda: measurement.prepare(benchmark, ids, 0),
            "bare": bare,
            "lime": lambda: measurement.measure(classifier, shown, {}, _BATCH),
            **{
                name: lambda by=by, size=size: by(classifier, shown.images, _SAMPLES, size)
                for name, (by, size, _) in peers.items()
            },
        }
        median = interleaved(actions, options.repeats)
    whole = median["segments"] + median["lime"]
    yield Row("LIME: fidelity and stability", "bare forward passes", whole / median["bare"], "<=", 1.15)
    for name, (_, size, target) in peers.items():
        relation = None if size == _BATCH else ">="
        yield Row("LIME", f"{name}, times as long", median[name] / median["lime"], relation, target)
