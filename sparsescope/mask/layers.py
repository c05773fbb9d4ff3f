"""The layers that pruning works on: convolutions, linear layers and attention projections."""

from torch import nn

__all__ = ["weight_tensors"]


def weight_tensors(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights of all convolutions, linear layers and attention projections, in registration order.

    A tied weight is returned once, by its first name: that of `named_parameters`.
    """
    names: dict[str, nn.Parameter] = {}
    seen: set[nn.Parameter] = set()
    for prefix, child in module.named_modules():
        if isinstance(child, nn.Linear | nn.modules.conv._ConvNd):
            wanted = ["weight"]
        elif isinstance(child, nn.MultiheadAttention):
            wanted = ["in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"]
        else:
            continue
        for attribute in wanted:
            parameter = getattr(child, attribute, None)
            if isinstance(parameter, nn.Parameter) and parameter not in seen:
                seen.add(parameter)
                names[f"{prefix}.{attribute}" if prefix else attribute] = parameter
    return names
