"""`Guard`: items that are left while the lock is held are handled when it is free, once each."""

import threading

from penstock.results._guard import Guard


def test_an_item_is_handled_at_once_if_nobody_holds_the_lock() -> None:
    done: list[int] = []
    Guard(done.append).leave(1)
    assert done == [1]


def test_a_holder_handles_after_it_has_let_go() -> None:
    done: list[int] = []
    guard = Guard(done.append)
    with guard, guard.lock:
        guard.leave(1)
        guard.leave(2)
        assert done == []
    assert done == [1, 2]


def test_an_item_left_while_another_is_handled_waits_its_turn() -> None:
    done: list[int] = []

    def handle(item: int) -> None:
        if item == 1:
            guard.leave(2)
        done.append(item)

    guard = Guard(handle)
    guard.leave(1)
    assert done == [1, 2]


def test_threads_lose_and_double_nothing() -> None:
    done: list[int] = []
    guard = Guard(done.append)

    def leave(first: int) -> None:
        for item in range(first, first + 500):
            guard.leave(item)
            with guard, guard.lock:
                pass

    threads = [threading.Thread(target=leave, args=(500 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(4_000))
