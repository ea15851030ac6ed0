"""The main job on real input: seven recorded turns of agents, with real tools, twice.

What is real: the files, their hashes, syntax trees and database, HTTP over a socket, threads,
timeouts, limits and a budget. What is not: the model, whose answers were recorded, and the width of the web, which is one
server on this machine. Read `turns.py` first, then `play.py` and `story.py`.
"""

from penstock.cli.demo.play import Played
from penstock.cli.demo.story import Pair, Performance, Watcher, World, perform
from penstock.cli.demo.turns import TURNS, Turn

__all__ = ["TURNS", "Pair", "Performance", "Played", "Turn", "Watcher", "World", "perform"]
