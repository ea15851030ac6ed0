"""The hot path: what one call costs, whatever it does, against `asyncio.gather` and Tasks."""
