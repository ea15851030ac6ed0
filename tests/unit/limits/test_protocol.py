"""`QuotaBackend`: a class with its four methods is one, and asks need only what they use."""

from collections.abc import AsyncIterator, Sequence

from penstock.limits._protocol import Ask, Block, QuotaBackend, Reply


class Generous:
    """Grants what is wanted."""

    async def lease(self, asks: Sequence[Ask]) -> Sequence[Reply]:
        return [Reply(a.want, 0.0, a.capacity - a.want, 1, a.revision) for a in asks]

    async def block(self, id: str, seconds: float) -> None:
        self.blocked = Block(id, seconds)

    async def blocks(self) -> AsyncIterator[Block]:
        yield self.blocked

    async def aclose(self) -> None: ...


async def test_a_backend_answers_asks_and_tells_blocks() -> None:
    backend: QuotaBackend = Generous()
    ask = Ask("tool:x requests rate", "rate", 0, 100, 1.0, 20, "i-1", want=5)
    assert await backend.lease([ask]) == [Reply(5, 0.0, 15, 1, 0)]
    await backend.block("tool:x requests rate", 2.0)
    assert [block.seconds async for block in backend.blocks()] == [2.0]
    await backend.aclose()
