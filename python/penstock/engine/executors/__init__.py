"""Executors: where the code of a tool runs when it is not the event loop."""
