"""Invented sessions of a shop's support, as long between calls as recorded models took.

A customer names an address or an order, the model looks the customer up, then orders and products one after
the other or at once; every third session changes an order and looks again.
"""

import random
from collections.abc import Iterator

from penstock.speculation import Effects, TraceCall, TraceSession

GAPS = (
    *(0.49, 0.69, 0.78, 0.85, 0.91, 0.95, 1.00, 1.06, 1.13, 1.21, 1.28),
    *(1.37, 1.45, 1.52, 1.59, 1.69, 1.76, 1.91, 2.19, 2.81, 13.51),
)
"""Seconds that a model took to ask for calls: each twentieth of 882 steps of tau2-bench's retail and telecom
runs by gpt-4.1 (sierra-research/tau2-bench 59d0fb9, MIT)."""

EFFECTS = Effects(
    {
        "shop": {
            "find_customer": "read",
            "get_order": "read",
            "get_product": "read",
            "cancel_order": "write",
        }
    }
)


def sessions(count: int, seed: int = 11) -> list[TraceSession]:
    """Return so many different sessions, the same for the same seed."""
    return [_session(number, random.Random(f"{seed} {number}")) for number in range(count)]  # noqa: S311 - a mix


def _session(number: int, chance: random.Random) -> TraceSession:
    address = f"customer{chance.randrange(10**6)}@example.com"
    orders = [f"#W{chance.randrange(10**6, 10**7)}" for _ in range(chance.randint(1, 4))]
    inputs = [(0, f"Hello, I am {address}. Where are my orders?")]
    calls = list(_looked_up(address, orders, chance))
    if number % 3 == 0:
        inputs.append((1, f"Please cancel {orders[0]}."))
        calls.append(_call(1, 0, chance, "cancel_order", "cancelled", order_id=orders[0]))
        again = {"order_id": orders[0], "status": "cancelled"}
        calls.append(_call(1, 1, chance, "get_order", again, order_id=orders[0]))
    name = f"shop/{number}"
    return TraceSession(name, "invented", "shop", f"{number}", tuple(inputs), tuple(calls))


def _looked_up(address: str, orders: list[str], chance: random.Random) -> Iterator[TraceCall]:
    """Find the customer, then orders, at once by every other model; then what was in one of them."""
    found = {"customer_id": address.partition("@")[0], "orders": orders}
    yield _call(0, 0, chance, "find_customer", found, email=address)
    at_once = chance.random() < 0.5
    for place, order in enumerate(orders):
        product = f"{chance.randrange(10**9, 10**10)}"
        looked = {"order_id": order, "status": "shipped", "items": [{"product_id": product}]}
        step = 1 if at_once else 1 + place
        yield _call(0, step, chance, "get_order", looked, order_id=order)
    if chance.random() < 0.6:
        there = {"product_id": product, "stock": chance.randrange(100)}
        yield _call(0, 2 + len(orders), chance, "get_product", there, product_id=product)


def _call(
    turn: int, step: int, chance: random.Random, tool: str, result: object, **arguments: str
) -> TraceCall:
    low = chance.randrange(len(GAPS) - 1)
    gap = GAPS[low] + chance.random() * (GAPS[low + 1] - GAPS[low])
    return TraceCall(tool, arguments, result, turn, step, gap_s=gap)
