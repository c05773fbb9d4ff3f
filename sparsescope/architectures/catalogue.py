"""The catalogue of architectures: those built in, and the forms of SPEC that name others. It imports no torch."""

from dataclasses import dataclass

from sparsescope.specs import USER_FORMS, Catalogue, Entry

__all__ = ["BUILT_IN", "LIBRARIES", "LibraryEntry"]


@dataclass(frozen=True)
class LibraryEntry(Entry):
    """A form of SPEC that names networks of other packages or of the user.

    Args:
        extra: the extra of sparsescope that brings the package; empty where it is always there.
    """

    extra: str = ""


_HERE = "sparsescope.architectures"


def _built_in(name: str, module: str, help: str) -> tuple[str, Entry]:
    return name, Entry(name, f"{_HERE}.{module}:{name}", help)


BUILT_IN: dict[str, Entry] = dict(
    [
        _built_in("resnet20s", "cifar_resnet", "CIFAR ResNet-20 with option-A shortcuts (He et al. 2016)"),
        _built_in("resnet32s", "cifar_resnet", "the same with 32 layers"),
        _built_in("resnet44s", "cifar_resnet", "the same with 44 layers"),
        _built_in("resnet56s", "cifar_resnet", "the same with 56 layers"),
        _built_in("resnet110s", "cifar_resnet", "the same with 110 layers"),
        _built_in("resnet20s_small", "cifar_resnet", "`resnet20s` with about 21 % of its parameters"),
        _built_in("resnet18_cifar", "resnet", "ResNet-18 with a 3 × 3 stem and no pooling"),
        _built_in("resnet18_cifar_small", "resnet", "`resnet18_cifar` with about 21 % of its parameters"),
        _built_in("wide_resnet28_10", "wide_resnet", "Wide-ResNet-28-10 (Zagoruyko & Komodakis 2016)"),
        _built_in("wide_resnet28_10_small", "wide_resnet", "`wide_resnet28_10` with about 21 % of its parameters"),
        _built_in("vgg11_cifar", "vgg", "VGG-11 with batch normalization and one linear layer"),
        _built_in("vgg11_cifar_small", "vgg", "`vgg11_cifar` with about 21 % of its parameters"),
        _built_in("resnet50_small", "imagenet_resnet", "`torchvision:resnet50` with about 21 % of its parameters"),
        _built_in("digits_cnn", "digits_cnn", "a small convolutional network for 1 × 32 × 32 digits"),
        _built_in("digits_cnn_small", "digits_cnn", "`digits_cnn` with about 20 % of its parameters"),
    ]
)
"""Name -> entry. Its opener takes `num_classes` and `in_channels`; a constant `PREPROCESSING` stands beside it."""

LIBRARIES = Catalogue(
    "architecture",
    {
        "torchvision": LibraryEntry(
            "torchvision:NAME", f"{_HERE}.libraries:open_torchvision", "a classification network of torchvision"
        ),
        "timm": LibraryEntry(
            "timm:NAME",
            f"{_HERE}.libraries:open_timm",
            "a network of timm, without its weights; needs the extra `models`",
            extra="models",
        ),
        **{
            form: LibraryEntry(
                form,
                f"{_HERE}.spec:open_user",
                "your own function, which returns an `nn.Module`",
                runs_user_code=True,
            )
            for form in USER_FORMS
        },
    },
)
"""By the word before the colon, or the form of the user's own code. An opener is `(name) -> Architecture`."""
