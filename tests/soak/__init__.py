"""Evaluations, reports and masks over and over in one process: nothing may grow.

    python -m tests.soak --minutes 60 [--workers 2]

`work` is what is done again and again, `samples` counts what the process holds afterwards, `growth` says whether that
grew with the iterations. Every iteration has a seed of its own, so that all of it is measured anew, and then read from
the cache.
"""
