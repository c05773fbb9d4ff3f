"""Classification heads: the layers whose output reaches the logits without another layer in between."""

import copy
import re

from torch import fx, nn

from sparsescope.mask.layers import weight_tensors

__all__ = ["head_weight", "head_weights"]

_NAMED = re.compile(r"^(?:head|classifier|fc|logits|output)", re.IGNORECASE)


def head_weight(module: nn.Module) -> str | None:
    """Return the name of the classification head's weight, of several heads the last registered one's."""
    return next(reversed(head_weights(module)), None)


def head_weights(module: nn.Module) -> list[str]:
    """Return the names of all classification heads' weights, in registration order.

    They are what the network itself names (`get_classifier`, as timm's networks have it), else the last registered
    convolution or linear layer. Where another layer has as many outputs, or is called a head and is registered before,
    the forward pass is traced: heads are then all layers of as many outputs that reach what the network returns, in
    evaluation or training, through no other layer. So auxiliary classifiers have heads too.
    """
    weights = weight_tensors(module)
    owners = {weight: name for name, weight in weights.items()}
    named = _named_by_network(module)
    if heads := [name for weight, name in owners.items() if weight in named]:
        return heads
    layers = [child for child in module.modules() if isinstance(child, nn.Linear | nn.modules.conv._ConvNd)]
    last = next((owners[w] for w in (layers[-1]._parameters.get("weight"),) if w in owners), None) if layers else None
    if last is None:
        return []
    rivals = [name for name in weights if name != last and len(weights[name]) == len(weights[last])]
    misnamed = not _is_named(last) and any(_is_named(name) for name in weights)
    if not (rivals or misnamed):
        return [last]
    reached = {name for training in (False, True) for name in _reaching(module, training)} & weights.keys()
    if reached:
        outputs = len(weights[last if last in reached else max(reached, key=list(weights).index)])
        return [name for name in weights if name in reached and len(weights[name]) == outputs]
    alike = [name for name in rivals if _is_named(name) and weights[name].shape == weights[last].shape]
    return [name for name in weights if name == last or (name in alike and _is_named(last))]


def _named_by_network(module: nn.Module) -> set[nn.Parameter]:
    """Return the parameters of what `get_classifier` returns: a layer, or several."""
    ask = getattr(module, "get_classifier", None)
    try:
        found = ask() if callable(ask) else None
    except Exception:  # a network's own method of that name may want anything
        return set()
    parts = found if isinstance(found, tuple | list) else [found]
    return {parameter for part in parts if isinstance(part, nn.Module) for parameter in part.parameters()}


def _is_named(weight: str) -> bool:
    """Return whether the layer of a weight is a head by its own name: `head_dist`, `classifier`, `fc`."""
    return bool(_NAMED.match(weight.removesuffix(".weight").rpartition(".")[2]))


def _reaching(module: nn.Module, training: bool) -> list[str]:
    """Return the weights of the layers that nothing but layers without weights follows; [] if tracing fails."""
    memo: dict[int, object] = {id(parameter): parameter for parameter in module.parameters()}
    try:
        outline = copy.deepcopy(module, memo).train(training)  # tracing may set what forward sets
        graph = fx.symbolic_trace(outline).graph
    except Exception:  # whatever a foreign network raises when it is copied, or shown no images
        return []
    layers = dict(outline.named_modules())
    weighted = {node for node in graph.nodes if node.op == "call_module" and weight_tensors(layers[str(node.target)])}
    free: set[fx.Node] = set()  # nodes behind which there is no weight any more
    for node in reversed(graph.nodes):
        if node.op == "output" or (node.users and all(user in free and user not in weighted for user in node.users)):
            free.add(node)
    return [f"{node.target}.weight" for node in graph.nodes if node in weighted and node in free]
