"""Values like those of tools: alike in form, different in content. The same in every run."""

import json
import random
import zlib

WORDS = (
    "account",
    "address",
    "airport",
    "amount",
    "annual",
    "archive",
    "article",
    "balance",
    "battery",
    "binding",
    "booking",
    "branch",
    "bridge",
    "budget",
    "camera",
    "cancel",
    "carrier",
    "catalog",
    "channel",
    "charter",
    "circuit",
    "climate",
    "collect",
    "company",
    "concert",
    "contact",
    "control",
    "council",
    "country",
    "courier",
    "customer",
    "daily",
    "delivery",
    "desktop",
    "digital",
    "district",
    "drawing",
    "economy",
    "edition",
    "electric",
    "engine",
    "estate",
    "evening",
    "exchange",
    "express",
    "factory",
    "feature",
    "finance",
    "flight",
    "forecast",
    "freight",
    "gallery",
    "garden",
    "general",
    "harbour",
    "heading",
    "holiday",
    "hosting",
    "imaging",
    "insight",
)


def results(count: int, size: int, seed: int = 0) -> list[bytes]:
    """Return JSON of search results, each of about `size` bytes."""
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    return [_result(source, size) for _ in range(count)]


def noise(size: int) -> bytes:
    """Return bytes without any pattern."""
    return random.Random(size).randbytes(size)  # noqa: S311 - repeatable on purpose


def picture(size: int) -> bytes:
    """Return a PNG of about `size` bytes: noise, packed as PNG packs it."""
    side = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(17) + b"IDAT"
    return side + zlib.compress(noise(size), 1)


def _result(source: random.Random, size: int) -> bytes:
    hits: list[str] = []
    length = 120
    while not hits or length < size:
        hit = json.dumps(_hit(source), separators=(",", ":"))
        length += len(hit) + 1
        hits.append(hit)
    query = " ".join(source.choices(WORDS, k=2))
    head = json.dumps({"status": "ok", "query": query, "took_ms": source.randrange(2_000)})
    return f'{head[:-1]},"hits":[{",".join(hits)}],"next":null}}'.encode()


def _hit(source: random.Random) -> dict[str, object]:
    words = source.choices(WORDS, k=13)
    return {
        "id": f"{source.getrandbits(40):010x}",
        "title": " ".join(words[:4]).capitalize(),
        "url": f"https://www.{words[4]}-{words[5]}.example/{words[6]}/{source.randrange(10**5)}",
        "snippet": " ".join(words[7:]) + ".",
        "score": round(source.random(), 4),
        "price": source.randrange(100_000) / 100,
        "updated": f"2026-{source.randrange(1, 13):02}-{source.randrange(1, 29):02}",
        "in_stock": source.random() < 0.7,
    }
