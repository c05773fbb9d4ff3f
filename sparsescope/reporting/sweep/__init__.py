"""The page of a sweep: its record in, files out. No torch.

page      `write_sweep_report`, which writes all files
view      everything its templates show
notes     what is missing, and how to read it
failures  which networks failed, and why
figures   which figures it has
tables    the numbers as CSV
"""

from sparsescope.reporting.sweep.page import write_sweep_report

__all__ = ["write_sweep_report"]
