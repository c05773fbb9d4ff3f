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

Of a sweep:
sweep_page     `write_sweep_report`, which writes all files
sweep_view     everything its templates show
sweep_notes    what is missing, and how to read it
sweep_failures which networks failed, and why
sweep_figures  which figures it has
sweep_tables   the numbers as CSV
"""

from sparsescope.reporting.sweep_page import write_sweep_report
from sparsescope.reporting.writer import report

__all__ = ["report", "write_sweep_report"]
