"""Reading models: every kind of artefact becomes a `Classifier`, safely; and sparsescope's own checkpoint.

Read:
    state dicts               torch, safetensors or npz; in one file, in shards with an index, or in a folder of
                              torch.distributed.checkpoint; bare or under any key, chosen by name of several; with
                              the prefixes of DataParallel, torch.compile, FSDP and other wrappers; zeros in place,
                              or with masks: pairs `weight_orig`, `weight_mask` of torch.nn.utils.prune, or collections
                              of 0 and 1 beside them; weights as weight_norm and spectral_norm store them
    masks                     safetensors of ours, torch or npz dictionaries of 0 and 1, as several packages name them;
                              applied to the dense model
    networks                  what holds its network, not only weights: one file for each kind in `kinds`
    sparsescope checkpoints   weights, mask, architecture, normalisation, task and history (`save_checkpoint`)

From the file to the classifier: `read` (bytes to plain content, of folders by `folders` and `distributed`), `layout`
(content to weights and mask, by `containers`, `choice`, `names`, `masks` and `folding`), `network` (weights to their
architecture; with several names for one weight by `tied`), `values` (are the numbers fit to be used), `load` (all of
it). `describe` tells what is in a file also where it cannot be used.
"""

from sparsescope.checkpoints.choice import MissingWeightsError
from sparsescope.checkpoints.describe import Description, describe
from sparsescope.checkpoints.kinds import KINDS, kind_of
from sparsescope.checkpoints.load import load_classifier
from sparsescope.checkpoints.native import save_checkpoint
from sparsescope.checkpoints.stored import StoredTask, stored_size, stored_task

__all__ = [
    "KINDS",
    "Description",
    "MissingWeightsError",
    "StoredTask",
    "describe",
    "kind_of",
    "load_classifier",
    "save_checkpoint",
    "stored_size",
    "stored_task",
]
