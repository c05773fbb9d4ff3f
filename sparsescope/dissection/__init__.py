"""Compositional neurons: which logical formulas over the concepts of a probe set describe the units of a layer."""
