"""Commands that are killed at random moments, and started again.

    python -m tests.kills --kills 50 [--command NAME] [--signal KILL|TERM] [--workers N] [--seed N]

`commands` lists what is run, `processes` starts and kills it. After every kill no process may be left after 10 seconds,
and no file may be half written; the same command then goes on, and gives the numbers of a run that nobody disturbed.
"""
