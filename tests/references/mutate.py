"""Damage to JSON: random changes, as a hand, a script or a broken disk might make them; the same for the same seed."""

import copy
import random
from typing import Any

NUMBERS = (
    0,
    -1,
    1,
    0.5,
    2,
    -0.5,
    7,
    1.0000001,
    1e-320,
    1e-200,
    1e200,
    -1e200,
    1e308,
    2**63,
    10**30,
    -(10**30),
    10**400,
)
OTHERS = (
    None, True, False, "", "x", "dense", "a" * 5000, "é\n\t<b>|$\\", "\x00\x07", "\ud800", "0.5", [], {}, [None], [[]],
    {"": None}, [1, 2, 3], {"n": -1}, [0.1, "x"],
)  # fmt: skip


def mutated(content: Any, seed: int) -> Any:
    """Return a copy of `content` with one to three changes, at places of any depth."""
    rng = random.Random(seed)
    content = copy.deepcopy(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        _change(content, rng)
    return content


def _change(content: Any, rng: random.Random) -> None:
    """Change one entry; places are drawn level by level, long parts more often, but less so than they are longer."""
    holder = content
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        (key,) = rng.choices(keys, weights=[_leaves(holder[key]) ** 0.5 for key in keys])
        if not isinstance(holder[key], dict | list) or not holder[key] or rng.random() < 0.12:
            break
        holder = holder[key]
    old = holder[key]
    kind = rng.choice(("delete", "number", "other", "swap", "near", "rename", "shuffle", "double", "shorten"))
    if kind == "delete":
        del holder[key]
    elif kind == "number":
        holder[key] = rng.choice(NUMBERS)
    elif kind == "other":
        holder[key] = copy.deepcopy(rng.choice(OTHERS))
    elif kind == "swap":
        other = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key], holder[other] = holder[other], old
    elif kind == "near":
        holder[key] = _near(old, rng)
    elif kind == "rename" and isinstance(holder, dict):
        holder[rng.choice((*holder, f"{key}-2", ""))] = holder.pop(key)
    elif kind == "shuffle" and isinstance(old, list):
        rng.shuffle(old)
    elif kind == "double" and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(old))
    elif kind == "shorten" and isinstance(old, list | dict):
        for each in list(old)[: rng.randint(1, max(len(old), 1))]:
            old.pop() if isinstance(old, list) else old.pop(each)


def _leaves(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(_leaves, parts)) + 1


def _near(old: Any, rng: random.Random) -> Any:
    """Return a value of the same kind: the mistakes that types do not find."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return old + rng.choice((-1, 1, 10**6, -old, -2 * old))
    if isinstance(old, float):
        return rng.choice((-old, old + 1, old * 1e6, old / 1e6, 0.0, old * 1e99))
    if isinstance(old, str):
        return rng.choice((old.upper(), old[: len(old) // 2], old + old, " "))
    return old
