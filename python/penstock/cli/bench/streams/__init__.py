"""Streams: what events cost while nobody watches, for one watcher, for many, beside sleepers.

The baseline of one watcher is an `asyncio.Queue` that is filled and emptied; of sleepers, a reader
who is alone. Rows of the log itself are the Rust core's: `ring/*`.
"""
