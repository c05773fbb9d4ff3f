"""What torchvision and timm record of their weights: read from their own records, never from memory."""

import pytest
from torchvision import models

from sparsescope.architectures import published, record_of, resolve
from sparsescope.errors import OptionError


@pytest.mark.parametrize(
    "weights",
    [
        models.ResNet50_Weights.IMAGENET1K_V1,
        models.ResNet50_Weights.IMAGENET1K_V2,
        models.Inception_V3_Weights.IMAGENET1K_V1,
        models.EfficientNet_V2_L_Weights.IMAGENET1K_V1,
        models.ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1,
    ],
)
def test_weights_are_recognised_by_the_hash_of_their_file(weights: models.WeightsEnum) -> None:
    digest = weights.url.rpartition("-")[2].removesuffix(".pth")
    spec = f"torchvision:{weights.url.rpartition('/')[2].partition('-')[0].removesuffix('_google')}"
    spec = spec.replace("vit_b_16_swag", "vit_b_16")
    record, transform = record_of(spec, digest + "0" * 56), weights.transforms()
    assert record is not None and record.name == f"torchvision's {type(weights).__name__}.{weights.name}"
    known = record.preprocessing
    assert ([known.size], [known.resize]) == (transform.crop_size, transform.resize_size)
    assert (list(known.mean), list(known.std)) == (transform.mean, transform.std)
    assert known.interpolation == transform.interpolation.value
    assert record.classes == tuple(weights.meta["categories"]) and record.outputs == 1000
    assert record_of(spec, "0" * 64) is None and record_of("torchvision:vgg11", digest + "0" * 56) is None


def test_weights_without_classes_are_none() -> None:
    assert [record.name for record in published("torchvision:vgg16")] == ["torchvision's VGG16_Weights.IMAGENET1K_V1"]
    assert published("resnet20s") == () and record_of(None, None) is None


def test_timm_states_them_by_tag() -> None:
    timm = pytest.importorskip("timm")
    for tag in ("a1_in1k", "tv_in1k"):
        record, known = record_of(f"timm:resnet50.{tag}", None), timm.get_pretrained_cfg(f"resnet50.{tag}")
        assert record is not None and record.preprocessing.size == known.input_size[-1]
        assert record.preprocessing.resize == int(known.input_size[-1] / known.crop_pct)
        assert record.preprocessing.interpolation == known.interpolation
        assert record.name == f"timm's pretrained_cfg of resnet50.{tag}"
    assert record_of("timm:resnet50", "0" * 64) is None
    with pytest.raises(OptionError, match=r"nonsense.* Known: timm:resnet50\.a1_in1k, "):
        resolve("timm:resnet50.nonsense")


def test_networks_are_built_as_for_their_published_weights() -> None:
    for name in ("googlenet", "inception_v3"):
        assert resolve(f"torchvision:{name}").build(num_classes=3).transform_input
    inception, large = (resolve(f"torchvision:{name}").preprocessing for name in ("inception_v3", "efficientnet_v2_l"))
    assert inception is not None and inception.size == 299
    assert large is not None and large.mean == (0.5, 0.5, 0.5)
