"""What a model sees of a large result, and how it reads on."""

from collections.abc import Callable
from typing import Any

import pytest

import penstock
from penstock.calls import Call
from penstock.errors import InvalidArguments
from penstock.results import ResultStore
from penstock.results.handles import READ_RESULT, Cap, capped, read_result

Open = Callable[..., ResultStore]

ROWS = {"rows": [{"id": number, "name": f"nåme {number}"} for number in range(5_000)]}

pytestmark = pytest.mark.real_time


async def ask(store: ResultStore, **arguments: Any) -> str:
    tool = read_result(store, characters=1_000)
    async with penstock.Engine([tool]) as engine:
        (outcome,) = await engine.run([Call(READ_RESULT, arguments)])
    value = outcome.unwrap()
    assert isinstance(value, str)
    return value


class TestCap:
    def test_a_short_result_is_told_whole(self, open_store: Open) -> None:
        store = open_store()
        cap = Cap(store, 1_000)
        assert cap.of_text("x" * 1_000) is None
        assert cap.of_ref(store.put("x" * 1_000)) is None

    def test_a_long_one_is_a_beginning_and_a_handle_and_not_longer(self, open_store: Open) -> None:
        store = open_store()
        ref = store.put(ROWS)
        told = Cap(store, 2_000).of_ref(ref)
        assert told is not None
        assert len(told) <= 2_000
        assert told.startswith('{"rows":[{"id":0,')
        assert f'read_result(handle="{ref.id}", range="' in told
        assert "json_path=" in told

    def test_the_value_is_held_when_its_outcome_is_gone(self, open_store: Open) -> None:
        store = open_store()
        Cap(store, 2_000).of_ref(store.put(ROWS))
        assert len(store.ids()) == 1

    def test_a_text_that_is_in_no_store_yet_is_put_there(self, open_store: Open) -> None:
        store = open_store()
        told = Cap(store, 1_000).of_text("æ" * 5_000, tenant="a")
        (id,) = store.ids(tenant="a")
        assert told is not None
        assert id in told
        assert "json_path" not in told

    def test_the_words_need_no_store(self) -> None:
        told = capped("abc", 1_234_567, "f00d", is_json=True)
        assert "the first 3 of 1,234,567 bytes" in told
        assert 'range="3-6"' in told


class TestReading:
    async def test_a_range_is_what_lies_there(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put("0123456789" * 500))
        told = await ask(store, handle=id, range="10-25")
        assert told.splitlines()[1] == "012345678901234"
        assert told.startswith('[bytes 10 to 25 of 5,000; the next part is range="25-40"]')

    async def test_parts_joined_are_the_whole(self, open_store: Open) -> None:
        store = open_store()
        ref = store.put(ROWS)
        id, got, at = store.hold(ref), "", 0
        while at < len(ref.raw):
            head, _, text = (await ask(store, handle=id, range=f"{at}-{at + 50_000}")).partition(
                "\n"
            )
            got += text
            at = int(head.split()[3].replace(",", ""))
        assert got.encode() == ref.raw

    async def test_characters_are_never_cut(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put("æ" * 2_000))
        assert "\ufffd" not in await ask(store, handle=id, range="1-10")
        assert (await ask(store, handle=id, range="1-10")).splitlines()[1] == "ææææ"

    async def test_bytes_that_end_in_half_a_character_have_an_end(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put(b"x" * 1_999 + b"\xc3"))
        told = await ask(store, handle=id, range="1500-2000")
        assert told.startswith("[bytes 1,500 to 2,000 of 2,000]")

    async def test_one_call_answers_no_more_than_it_may(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put("x" * 100_000))
        assert len(await ask(store, handle=id)) < 1_200

    async def test_a_path_leads_to_a_part(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put(ROWS))
        assert await ask(store, handle=id, json_path="rows[1].name") == "nåme 1"
        assert await ask(store, handle=id, json_path="rows[0:2].id") == "[0,1]"

    async def test_a_long_part_is_read_by_range(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put(ROWS))
        first = await ask(store, handle=id, json_path="rows[*].id")
        second = await ask(store, handle=id, json_path="rows[*].id", range="1000-2000")
        assert first.startswith("[bytes 0 to 1,000 of ")
        assert second.startswith("[bytes 1,000 to 2,000 of ")

    async def test_a_value_that_has_left_memory_stays_where_it_is(self, open_store: Open) -> None:
        store = open_store()
        ref = store.put(ROWS)  # takes more than the whole budget
        await store.settle()
        assert await ask(store, handle=store.hold(ref), json_path="rows[0].id") == "0"
        assert ref.where == "disk"

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({"handle": "nothing"}, "no such result is held any more"),
            ({"range": "9-3"}, "must be bytes from-to"),
            ({"range": "some"}, "must be bytes from-to"),
            ({"json_path": "row"}, "has no 'row'; it has 'rows'"),
        ],
    )
    async def test_what_cannot_be_is_told_to_the_model(
        self, open_store: Open, arguments: dict[str, str], says: str
    ) -> None:
        store = open_store()
        id = store.hold(store.put(ROWS))
        with pytest.raises(InvalidArguments) as caught:
            await ask(store, **{"handle": id, **arguments})
        assert says in caught.value.for_model()

    async def test_text_has_no_paths(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put("x" * 5_000))
        with pytest.raises(InvalidArguments, match="not JSON"):
            await ask(store, handle=id, json_path="a")

    async def test_another_tenants_handle_opens_nothing(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put(ROWS, tenant="other"))
        with pytest.raises(InvalidArguments, match="no such result"):
            await ask(store, handle=id)
