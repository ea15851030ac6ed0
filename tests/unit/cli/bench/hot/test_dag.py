"""The graph that the `dag` rows run."""

from penstock.cli.bench.hot.dag import LAYERS, PARENTS, WIDTH, calls


def test_every_layer_is_as_wide_as_the_others() -> None:
    assert len(calls()) == LAYERS * WIDTH


def test_the_first_layer_comes_after_nothing() -> None:
    assert all(call.after == () for call in calls()[:WIDTH])


def test_every_other_call_comes_after_three_of_the_layer_above() -> None:
    every = calls()
    for layer in range(1, LAYERS):
        above = {call.id for call in every[(layer - 1) * WIDTH : layer * WIDTH]}
        for call in every[layer * WIDTH : (layer + 1) * WIDTH]:
            assert len(set(call.after)) == PARENTS
            assert above.issuperset(call.after)
