"""A small web on this machine, with the latencies and faults of a big one, and the tools that use it.

The home of aiohttp in the demo. Every host below is served by one server on 127.0.0.1: the client's
resolver leads there. How long a page takes and which pages are broken follows from its address, so
that every run of the demo meets the same web.
"""

import asyncio
import hashlib
import re
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, TCPConnector, web
from aiohttp.abc import AbstractResolver, ResolveResult

from penstock.cli.demo.corpus import Corpus
from penstock.limits import Cost, observe
from penstock.tools import Tool, tool

PAGE_TIMEOUT = 1.5
ISSUE_TIMEOUT = 0.8

# In millionths of a dollar; what a page may cost is known beforehand, what it did cost afterwards.
LEAST_PRICE, MOST_PRICE, RESERVED_PRICE = 1_000, 3_000, 4_000
PRICE_HEADER = "x-price-microusd"

_LABELS = ("bug", "speed", "docs", "question")


@dataclass(frozen=True, slots=True)
class Host:
    """How a host behaves.

    Attributes:
        least: seconds that its quickest page takes.
        most: seconds that its slowest page takes; few are near that.
        broken: what its pages with an error 500 end in.
        hanging: what its pages that never answer end in.
        paid: whether its pages cost something.
    """

    least: float
    most: float
    broken: tuple[str, ...] = ()
    hanging: tuple[str, ...] = ()
    paid: bool = False

    def latency(self, path: str) -> float:
        """Return the seconds that a page takes: always the same for the same page."""
        return self.least + (self.most - self.least) * _chances(path)[0] ** 2

    def price(self, path: str) -> int:
        """Return what a page costs, in millionths of a dollar: likewise."""
        return round(LEAST_PRICE + (MOST_PRICE - LEAST_PRICE) * _chances(path)[1])


def _chances(path: str) -> tuple[float, float]:
    """Two numbers from 0 to 1 that look random, and follow from an address."""
    digest = hashlib.sha256(path.encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32, int.from_bytes(digest[4:8]) / 2**32


HOSTS: Mapping[str, Host] = {
    "docs.example": Host(0.06, 0.32),
    "tracker.example": Host(
        0.04, 0.34, broken=("/107", "/118", "/129", "/140"), hanging=("/111", "/127", "/143")
    ),
    "mirror-a.example": Host(0.70, 0.85),
    "mirror-b.example": Host(0.04, 0.10, broken=("/errors.py",)),
    "mirror-c.example": Host(0.40, 0.50),
    "archive.example": Host(2.5, 4.0),
    "ratings.example": Host(0.03, 0.12, paid=True),
}


class Site:
    """The pages of all hosts, made from the corpus."""

    def __init__(self, corpus: Corpus, pace: float) -> None:
        self._corpus = corpus
        self._pace = pace

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer after the latency of the page, with an error, or never."""
        host = HOSTS[request.host.partition(":")[0]]
        if request.path.endswith(host.hanging):
            await asyncio.Event().wait()
        await asyncio.sleep(host.latency(request.path) * self._pace)
        if request.path.endswith(host.broken):
            raise web.HTTPInternalServerError(text="the database is not available")
        name = request.path.lstrip("/")
        if name.startswith("ease/"):
            price = {PRICE_HEADER: f"{host.price(request.path)}"}
            rated = _rating(self._corpus.text(name.removeprefix("ease/")))
            return web.json_response(rated, headers=price)
        if name.startswith("issues/"):
            return web.json_response(_issue(int(name.removeprefix("issues/"))))
        if name not in self._corpus.paths:
            raise web.HTTPNotFound(text=f"no page {name}")
        return web.Response(text=self._corpus.text(name))


def _issue(number: int) -> dict[str, Any]:
    return {
        "number": number,
        "title": f"{_LABELS[number % 4]} in version 0.{number % 7}",
        "state": "open" if number % 3 else "closed",
        "labels": [_LABELS[number % 4]],
    }


def _rating(text: str) -> dict[str, Any]:
    """How easy some text is to read, after Flesch: by the lengths of sentences and words."""
    words = re.findall(r"[A-Za-z]+", text)
    sentences = max(1, len(re.findall(r"[.:!?](?:\s|$)", text)))
    vowels = len(re.findall(r"[aeiouy]+", text, re.IGNORECASE))
    per_sentence, per_word = len(words) / sentences, vowels / max(1, len(words))
    ease = 206.835 - 1.015 * per_sentence - 84.6 * per_word
    return {"words_per_sentence": round(per_sentence, 1), "ease": round(ease)}


class WebTools:
    """The tools of one client session."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    def tools(self) -> Iterable[Tool[..., Any]]:
        """Return the tools."""
        yield tool(self.fetch_page, effects="read", service="web", timeout=PAGE_TIMEOUT)
        yield tool(self.fetch_issue, effects="read", service="tracker", timeout=ISSUE_TIMEOUT)
        yield tool(self.fetch_archived, effects="read", service="archive", priority=5)
        most = Cost(microusd=RESERVED_PRICE)
        yield tool(self.rate_page, effects="read", service="ratings", cost=most)

    async def fetch_page(self, url: str) -> dict[str, Any]:
        """Fetch a page and say what is on it.

        Args:
            url: of the page.
        """
        text = await self._get(url)
        title = next((line.strip('"# ') for line in text.splitlines() if line.strip('"# ')), "")
        return {"url": url, "title": title, "words": len(re.findall(r"\w+", text))}

    async def fetch_issue(self, number: int) -> dict[str, Any]:
        """Fetch an issue of the project's tracker.

        Args:
            number: of the issue.
        """
        async with self._session.get(f"http://tracker.example/issues/{number}") as response:
            response.raise_for_status()
            issue: dict[str, Any] = await response.json()
            return issue

    async def fetch_archived(self, url: str) -> dict[str, Any]:
        """Fetch a page from the archive, which is slow.

        Args:
            url: of the page in the archive.
        """
        return {"url": url, "characters": len(await self._get(url))}

    async def rate_page(self, path: str) -> dict[str, Any]:
        """Have a module rated by a paid service: how easy it is to read.

        Args:
            path: of the module.
        """
        async with self._session.get(f"http://ratings.example/ease/{path}") as response:
            response.raise_for_status()
            # The budget gives back what was reserved and not charged.
            observe(cost=Cost(microusd=int(response.headers[PRICE_HEADER])))
            rated: dict[str, Any] = await response.json()
            return {"path": path, **rated}

    async def _get(self, url: str) -> str:
        async with self._session.get(url) as response:
            response.raise_for_status()
            return await response.text()


class _Here(AbstractResolver):
    """Leads every name to the server of the demo, as a hosts file would."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in HOSTS:
            raise OSError(f"no host {host}")
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def serve(corpus: Corpus, pace: float) -> AsyncIterator[WebTools]:
    """Serve the web while the block runs, and give it the tools that use it.

    Args:
        corpus: what the pages are made of.
        pace: 1, or less to shorten every latency.
    """
    application = web.Application()
    application.router.add_get("/{path:.*}", Site(corpus, pace).answer)
    # A client that gives up ends its page: a page that hangs would outlive the demo.
    runner = web.AppRunner(
        application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        connector = TCPConnector(resolver=_Here(port), limit=0)
        async with ClientSession(connector=connector) as session:
            yield WebTools(session)
    finally:
        await runner.cleanup()
