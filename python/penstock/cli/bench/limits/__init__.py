"""Limits: what a decision costs, how exact the rate is, who waits how long, and what waiting costs.

The baseline is `_plain_bucket.py`, a limiter in plain Python; `_workloads.py` says what is done with
either, and is what the rivals in `benches/rivals/limits/` run as well.
"""
