"""Speculation: guess the next read of a conversation, so that it may run before it is asked for.

`Predictor` learns from conversations and gives candidates; `read_traces` reads recorded sessions, and
`evaluate` replays them to say what guessing would have given; `play_live` plays them on an engine, and
`Recorder` records more of them. `Speculation`, an option of an engine, lets
guesses run: the engine runs them, `speculator.py` says which. The decisions are the core's
(`rust/core/src/predict/`). Read `predictor.py` first, then `window.py`, `safety.py` and `speculator.py`; of the
replay `_replay/timeline.py` and `_replay/play.py`.
"""

from penstock._native import Candidate, Decision, canonical
from penstock.speculation._replay.ablation import ABLATIONS, ablated
from penstock.speculation._replay.crowd import SERVICE, Crowd, Crowded, play_crowd
from penstock.speculation._replay.evaluate import (
    Evaluation,
    evaluate,
    evaluate_cold,
    evaluate_folds,
    overlap,
)
from penstock.speculation._replay.gates import Gate, check
from penstock.speculation._replay.live import Playback, Played, play_live, total
from penstock.speculation._replay.play import MODES, Mode
from penstock.speculation._replay.row import Row
from penstock.speculation.audit import Record
from penstock.speculation.options import Speculation
from penstock.speculation.predictor import Predictor
from penstock.speculation.recorder import Recorder, RecorderStatistics
from penstock.speculation.statistics import SpeculationStatistics
from penstock.speculation.traces import Effects, TraceCall, TraceSession, read_traces

__all__ = [
    "ABLATIONS",
    "MODES",
    "SERVICE",
    "Candidate",
    "Crowd",
    "Crowded",
    "Decision",
    "Effects",
    "Evaluation",
    "Gate",
    "Mode",
    "Playback",
    "Played",
    "Predictor",
    "Record",
    "Recorder",
    "RecorderStatistics",
    "Row",
    "Speculation",
    "SpeculationStatistics",
    "TraceCall",
    "TraceSession",
    "ablated",
    "canonical",
    "check",
    "evaluate",
    "evaluate_cold",
    "evaluate_folds",
    "overlap",
    "play_crowd",
    "play_live",
    "read_traces",
    "total",
]
