"""The same hand-written gather on the standard library's event loop."""
# /// script
# dependencies = ["orjson==3.13.0", "uvloop==0.23.0"]
# ///

from benches.rivals._turn import Rival
from benches.rivals.gather_uvloop import prepare

RIVAL = Rival("gather_asyncio", "asyncio.gather, asyncio", "bare", "", prepare, loop="asyncio")
