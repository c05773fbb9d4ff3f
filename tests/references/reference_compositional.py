"""NetDissect, the beam search of Mu & Andreas 2020 and the search of all formulas, literally: on whole boolean masks.

Ties are broken by IoU, then length, then label order (indices from left to right, then OR < AND < AND NOT).
"""

import numpy as np

OPERATORS = ("OR", "AND", "AND NOT")


def iou(first, second):
    union = int(np.logical_or(first, second).sum())
    return int(np.logical_and(first, second).sum()) / union if union else 0.0


def evaluate(formula, concepts):
    labels, operators = formula
    mask = concepts[labels[0]]
    for operator, label in zip(operators, labels[1:], strict=True):
        mask = extended(mask, operator, concepts[label])
    return mask


def extended(mask, operator, other):
    if operator == "AND NOT":
        return np.logical_and(mask, np.logical_not(other))
    return np.logical_or(mask, other) if operator == "OR" else np.logical_and(mask, other)


def order(item):
    (labels, operators), value = item
    return -value, len(labels), labels, tuple(map(OPERATORS.index, operators))


def trim(formulas, beam):
    return dict(sorted(formulas.items(), key=order)[:beam])


def explain(unit, concepts, length=3, beam=5):
    """Best formula and best single concept of a unit's mask (n, h, w), each with its IoU; concepts (C, n, h, w)."""
    there = [label for label in range(len(concepts)) if concepts[label].any()]
    atoms = {((label,), ()): iou(unit, concepts[label]) for label in there}
    formulas = trim({atom: value for atom, value in atoms.items() if value > 0}, beam)
    if not formulas:
        return None, 0.0, None, 0.0
    best_atom = next(iter(formulas.items()))
    for _ in range(length - 1):
        new = {}
        for labels, operators in formulas:
            for label in there:
                for operator in OPERATORS:
                    formula = (*labels, label), (*operators, operator)
                    new[formula] = iou(unit, evaluate(formula, concepts))
        formulas = trim(formulas | new, beam)
    best = next(iter(formulas.items()))
    return *best, *best_atom


def best_of_all(unit, concepts, length=3):
    """Best of all formulas that the beam search could build, with its IoU; None where none meets the unit."""
    there = [label for label in range(len(concepts)) if concepts[label].any()]
    level = {((label,), ()): concepts[label] for label in there}
    best = None, 0.0
    for _ in range(length):
        for formula, mask in level.items():
            value = iou(unit, mask)
            if value > 0 and (best[0] is None or order((formula, value)) < order(best)):
                best = formula, value
        level = {
            ((*labels, label), (*operators, operator)): extended(mask, operator, concepts[label])
            for (labels, operators), mask in level.items()
            for label in there
            for operator in OPERATORS
        }
    return best


def held_out(unit, concepts, find):
    """IoU of formulas that `find` finds on every second image, judged on the others, both ways, counts added up."""
    shared = union = 0
    for start in (0, 1):
        formula = find(unit[start::2], concepts[:, start::2])
        there = unit[1 - start :: 2]
        holds = np.zeros_like(there) if formula is None else evaluate(formula, concepts[:, 1 - start :: 2])
        shared += int(np.logical_and(there, holds).sum())
        union += int(np.logical_or(there, holds).sum())
    return shared / union
