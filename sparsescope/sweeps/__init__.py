"""Sweeps: recipes -> tickets -> evaluations; the one room above both pruning and evaluation."""
