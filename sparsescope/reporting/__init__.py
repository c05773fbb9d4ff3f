"""The report: an evaluation in, files out. No torch.

format      numbers as people read them
rows        the table of one candidate, for terminal, HTML and Markdown alike
notes       what a reader must know beside the numbers
reading     one sentence on each metric
sides       images and classes that changed sides
attacks     accuracy by size of an attack
figures     plots as SVG inside the HTML
inline      plots as SVG without ids twice
neurons     compositional neurons: facts and units
pictures    units' pictures as data URIs
view        everything the templates show
rendering   templates to texts, escaped
junit       the verdict for CI systems
writer      `report`, which writes all files
dissection  the page of a dissection
sweep/      the page of a sweep
"""

from sparsescope.reporting.sweep import write_sweep_report
from sparsescope.reporting.writer import report

__all__ = ["report", "write_sweep_report"]
