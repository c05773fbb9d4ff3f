"""The report: an evaluation in, files out. No torch.

format    numbers as people read them
rows      the table of one candidate, for terminal, HTML and Markdown alike
notes     what a reader must know beside the numbers
reading   one sentence on each metric
sides     images and classes that changed sides
figures   plots as SVG inside the HTML
neurons   compositional neurons: facts and units
pictures  units' pictures as data URIs
dissection the page of a dissection
page      how templates are rendered
view      everything the templates show
junit     the verdict for CI systems
rendering templates to texts, escaped
writer    `report`, which writes all files
sweep/     the page of a sweep
"""

from sparsescope.reporting.sweep import write_sweep_report
from sparsescope.reporting.writer import report

__all__ = ["report", "write_sweep_report"]
