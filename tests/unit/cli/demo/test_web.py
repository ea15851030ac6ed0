import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientConnectorError, ClientResponseError

from penstock.cli.demo.corpus import Corpus
from penstock.cli.demo.web import HOSTS, LEAST_PRICE, MOST_PRICE, serve

pytestmark = pytest.mark.real_time
PACE = 0.02


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    (tmp_path / "a.py").write_text('"""A title."""\nx = 1\n')
    return Corpus("one file", {"python/a.py": tmp_path / "a.py"})


async def test_a_page_is_fetched_by_its_name(corpus: Corpus) -> None:
    async with serve(corpus, PACE) as tools:
        page = await tools.fetch_page("http://docs.example/python/a.py")
        archived = await tools.fetch_archived("http://mirror-a.example/python/a.py")
    assert (page["title"], page["words"]) == ("A title.", 4)
    assert archived["characters"] == 21


async def test_an_issue_is_fetched_by_its_number(corpus: Corpus) -> None:
    async with serve(corpus, PACE) as tools:
        assert (await tools.fetch_issue(3))["state"] == "closed"


async def test_some_issues_answer_500(corpus: Corpus) -> None:
    async with serve(corpus, PACE) as tools:
        with pytest.raises(ClientResponseError, match=r"500, .*107"):
            await tools.fetch_issue(107)


async def test_some_issues_hang(corpus: Corpus) -> None:
    async with serve(corpus, PACE) as tools:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await tools.fetch_issue(111)


async def test_a_page_that_is_not_there_is_404(corpus: Corpus) -> None:
    async with serve(corpus, PACE) as tools:
        with pytest.raises(ClientResponseError, match="404"):
            await tools.fetch_page("http://docs.example/nothing")


async def test_no_other_host_is_reached(corpus: Corpus) -> None:
    async with serve(corpus, PACE) as tools:
        with pytest.raises(ClientConnectorError):
            await tools.fetch_page("http://elsewhere.example/")


def test_a_page_always_takes_as_long() -> None:
    for host in HOSTS.values():
        latency = host.latency("/python/a.py")
        assert latency == host.latency("/python/a.py")
        assert host.least <= latency <= host.most


async def test_a_rating_says_how_easy_a_module_is_to_read(corpus: Corpus) -> None:
    async with serve(corpus, PACE) as tools:
        rated = await tools.rate_page("python/a.py")
    assert rated["path"] == "python/a.py"
    assert -400 < rated["ease"] < 206


def test_a_page_always_costs_as_much() -> None:
    host = HOSTS["ratings.example"]
    price = host.price("/python/a.py")
    assert price == host.price("/python/a.py")
    assert LEAST_PRICE <= price <= MOST_PRICE
