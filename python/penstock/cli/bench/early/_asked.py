"""The calls of the rows: arguments as models write them, and the pieces that they come in."""

from collections.abc import Sequence
from itertools import cycle

PIECES = (4, 1, 9, 3, 17, 6, 2, 32, 5, 12, 8, 24)
"""Lengths in characters, over and over: tokens of 1 to 32, most of them short."""

LARGE_BYTES = 21_000

RECORDED = (
    '{"location":"Oslo, Norway","unit":"celsius"}',
    '{"location": "Lima, Peru"}',
    '{"timezone":"America/Lima"}',
    '{"order_id": "#W2378156", "item_ids": ["1151293680", "4983901480"], "new_item_ids": ["7706410293", "7747408585"], "payment_method_id": "credit_card_9513926"}',
    '{"first_name": "Yusuf", "last_name": "Rossi", "zip": "19122"}',
    '{"query":"SELECT city, count(*) AS orders FROM orders WHERE created > \'2026-01-01\' GROUP BY city ORDER BY orders DESC LIMIT 20"}',
    '{"path": "src/penstock/engine.py", "view_range": [120, 180]}',
    '{"path":"notes/today.md","content":"# Today\\n\\n- call Zo\\u00eb \\ud83d\\ude80\\n- read \\"The C\\u2019s\\"\\n"}',
    '{"url": "https://example.org/search?q=penstock&page=2", "max_chars": 20000, "headers": {"accept": "text/html"}}',
    '{"origin": "SFO", "destination": "JFK", "date": "2026-05-16", "passengers": [{"first_name": "Mia", "last_name": "Li", "dob": "1990-04-05"}], "cabin": "economy", "nonstop": false, "budget": 512.5}',
    "{}",
    '{"thought": "The user wants both prices, so I need the two product pages, then the sum of them."}',
)
"""Arguments of one call each."""


def large() -> str:
    """One call that writes a file: about 21 kB of code, with the escapes that code has."""
    line = 'def area(width: float, height: float) -> float:\\n    \\"\\"\\"In m².\\"\\"\\"\\n    return width * height\\n\\n'
    text = line * (LARGE_BYTES // len(line.encode()))
    return f'{{"path": "src/areas.py", "content": "{text}", "overwrite": true}}'


def pieces(text: str, lengths: Sequence[int] = PIECES) -> list[str]:
    """The text in pieces of these lengths."""
    found, at, length = list[str](), 0, cycle(lengths)
    while at < len(text):
        width = next(length)
        found.append(text[at : at + width])
        at += width
    return found
