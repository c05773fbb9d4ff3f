"""What the report of evaluations consists of. Importing this module imports nothing heavy."""

from collections.abc import Mapping

__all__ = ["FORMATS", "Content"]

Content = bytes | Mapping[str, bytes]
"""What a format gives: the bytes of the file of its name, or file name -> bytes of several files, or of none."""

FORMATS: dict[str, str] = {
    "evaluation.json": "sparsescope.reporting.writer:evaluation_json",
    "report.html": "sparsescope.reporting.pages:html_page",
    "report.md": "sparsescope.reporting.pages:markdown_page",
    "junit.xml": "sparsescope.reporting.junit:junit",
    "radar": "sparsescope.reporting.figures:radar_files",
}
"""Name -> `module:function`, a function `(evaluations) -> Content`, in the order in which the files are written.

`evaluate` and `report` write every format. The same evaluations must give the same bytes.
"""
