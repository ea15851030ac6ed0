"""Hedge: what a second attempt gains and what it costs, against the same calls without.

Time is virtual and chance is seeded, so rows are the same on every machine; only their making takes
time. `_mix.py` is the tool and who calls it.
"""
