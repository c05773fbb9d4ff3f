"""sparsescope: what pruning takes away, measured.

Public names are resolved on first use, so importing the package imports neither torch nor anything else that is heavy.
"""

__version__ = "0.1.0"
