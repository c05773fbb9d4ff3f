"""The report: an evaluation in, files out. No torch.

format      numbers as people read them
rows        the table of one candidate, for terminal, HTML and Markdown alike
notes       what a reader must know beside the numbers
reading     one sentence on each metric
sides       images and classes that changed sides
attacks     accuracy by size of an attack
figures     plots as SVG inside the HTML
incomplete  what of a page could not be made
inline      plots as SVG without ids twice
neurons     compositional neurons: facts and units
pictures    units' pictures as data URIs
view        everything the templates show
rendering   templates to texts, escaped
pages       the report as HTML and Markdown
junit       the verdict for CI systems
formats     what the report consists of: the one list of its files
writer      `report`, which writes all files
dissection  the page of a dissection
sweep/      the page of a sweep

To add a format: write one file with a function `(evaluations) -> bytes`, and add its line to `FORMATS` in `formats`
(docs/how-to/add-an-output-format.md).
"""

from typing import TYPE_CHECKING

from sparsescope.lazy import lazy

if TYPE_CHECKING:
    from sparsescope.reporting.sweep import write_sweep_report
    from sparsescope.reporting.writer import report

__all__ = ["report", "write_sweep_report"]

_HOMES = {"report": "writer", "write_sweep_report": "sweep"}
# Resolved on first use, so that reading the list of formats (for help texts) imports nothing heavy.

__getattr__, __dir__ = lazy(__name__, _HOMES)
