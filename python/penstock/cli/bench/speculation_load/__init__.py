"""Speculation under load: what guesses do to the calls of others when limits are nearly used up.

Many sessions at once on one engine, with guesses and without; time is virtual and chance is seeded, so rows
are the same on every machine. `_shop.py` are the sessions, unless recorded ones are given; `_load.py` runs
them. 100 % load is what the calls of all sessions would use if there were no limit.
"""
