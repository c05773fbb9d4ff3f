"""A cheaper forward pass: the network's own graph, with BatchNorm folded and the weights of convolutions packed.

`capture` writes a network down as a graph of torch's operators, `rewrite` makes the graph cheaper, `network` is what
answers in the network's place where no gradient is asked for. It is used only where its answers agree with the
network's own; see `evaluation.forward_only`.
"""

from sparsescope.prepacked.capture import NotCapturedError
from sparsescope.prepacked.network import PrepackedNetwork, is_candidate

__all__ = ["NotCapturedError", "PrepackedNetwork", "is_candidate"]
