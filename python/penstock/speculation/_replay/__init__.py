"""Replays recorded sessions on a virtual clock: what guessing would have given, honestly.

`split.py` says who trains for whom, `timeline.py` what is known when, `learner.py` feeds the predictor,
`play.py` launches and claims, `row.py` adds up, `evaluate.py` puts them together. Nothing here is a
second copy of a decision: candidates, chances and the gate are the core's.
"""
