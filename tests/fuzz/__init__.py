"""Damaged and hostile inputs for every reader and option.

    python -m tests.fuzz --seconds 600 [--reader NAME] [--seed N]

Every input is a valid one with something changed, the same for the same reader and number. It must be read, or refused
with an error of our own; anything else is printed with what makes it again. `mutations` changes bytes and texts,
`contents` makes files, `readers` lists what is tried, `limits` runs it in processes with bounds.
"""
