"""From a sweep's evaluations to curves, extreme sparsities, LTH-PASS ranges and the small dense twin. No torch.

records   what a summary holds
grid      which networks a sweep should have, and which are missing
seeds     one point of a curve: several seeds combined, and judged
extremes  extreme sparsity and LTH-PASS range: how far all lower sparsities pass
twin      tickets against a small dense network with as many parameters
summary   all of it, from a `Sweep` and its evaluations
"""

from sparsescope.curves.records import READINGS, Reading, SweepSummary
from sparsescope.curves.summary import summarise

__all__ = ["READINGS", "Reading", "SweepSummary", "summarise"]
