"""Sweeps: from a recipe to tickets, evaluations and their record; the one room above both training and evaluation.

    Workshop, make_ticket, untrained_ticket    the dense network of a seed and tickets of it, by any method
    SweepRecipe, load_sweep, sweep_names       what a sweep runs; those of the package are TOML files in `recipes/`
    points, estimate, measure_speed            what it will train and evaluate, and what that costs
    run_sweep                                  does it, or goes on with it; an `Account` tells how far it is

A new sweep is one TOML file in `recipes/`.
"""

from sparsescope.sweeps.account import Account
from sparsescope.sweeps.load import load_sweep, sweep_names
from sparsescope.sweeps.plan import Cost, Point, Speed, estimate, measure_speed, points
from sparsescope.sweeps.recipe import SweepRecipe
from sparsescope.sweeps.record import Failure
from sparsescope.sweeps.run import Outcome, Resources, make_workshop, open_data, run_sweep
from sparsescope.sweeps.tickets import make_ticket, run_name, untrained_ticket
from sparsescope.sweeps.workshop import Rewind, Workshop

__all__ = [
    "Account",
    "Cost",
    "Failure",
    "Outcome",
    "Point",
    "Resources",
    "Rewind",
    "Speed",
    "SweepRecipe",
    "Workshop",
    "estimate",
    "load_sweep",
    "make_ticket",
    "make_workshop",
    "measure_speed",
    "open_data",
    "points",
    "run_name",
    "run_sweep",
    "sweep_names",
    "untrained_ticket",
]
