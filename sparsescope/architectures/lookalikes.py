"""Networks of the same tensor names and shapes that compute something else: what no file of weights can tell."""

from torch import nn

__all__ = ["LOOK_ALIKES", "untold"]

LOOK_ALIKES: dict[str, tuple[str, ...]] = {
    "torchvision:resnet18": ("timm:resnetblur18",),
    "torchvision:resnet50": ("timm:resnetaa50", "timm:resnetblur50"),
}
"""Specification of an architecture that `match` returns -> others with its names and shapes."""


def untold(module: nn.Module) -> list[str]:
    """Return the properties of a network that names and shapes of its tensors do not tell, in words."""
    children = list(module.modules())
    told = []
    if any(isinstance(child, nn.modules.conv._ConvNd) for child in children):
        told.append("strides, dilation, padding, pooling")
    told.append("activations")
    if any(hasattr(child, "eps") for child in children):
        told.append("eps of normalization layers")
    if any(isinstance(child, nn.MultiheadAttention) or hasattr(child, "num_heads") for child in children):
        told.append("number of attention heads")
    if any(hasattr(child, "transform_input") for child in children):
        told.append("transform_input")
    return told
