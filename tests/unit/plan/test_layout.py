from itertools import pairwise

from penstock.plan.layout import bends, lay_out

HEIGHT = 40.0


def test_columns_follow_the_depths() -> None:
    drawing = lay_out([0, 1, 2], [(0, 1), (1, 2)], [100.0, 80.0, 100.0], HEIGHT)
    lefts = [x for x, _, _ in drawing.boxes]
    assert lefts == sorted(set(lefts))


def test_boxes_of_a_column_are_equally_wide() -> None:
    drawing = lay_out([0, 0], [], [50.0, 120.0], HEIGHT)
    assert [width for _, _, width in drawing.boxes] == [120.0, 120.0]


def test_boxes_of_a_column_never_overlap() -> None:
    depths = [0] * 3 + [1] * 9
    edges = [(i % 3, 3 + i) for i in range(9)]
    boxes = lay_out(depths, edges, [50.0] * 12, HEIGHT).boxes
    for depth in (0, 1):
        tops = sorted(y for (_, y, _), d in zip(boxes, depths, strict=True) if d == depth)
        assert all(below - above >= HEIGHT for above, below in pairwise(tops))


def test_a_chain_is_a_straight_line() -> None:
    drawing = lay_out([0, 1, 2], [(0, 1), (1, 2)], [50.0] * 3, HEIGHT)
    assert len({y for _, y, _ in drawing.boxes}) == 1


def test_crossed_parents_are_put_opposite_their_children() -> None:
    drawing = lay_out([0, 0, 1, 1], [(0, 3), (1, 2)], [50.0] * 4, HEIGHT)
    tops = [y for _, y, _ in drawing.boxes]
    assert (tops[0] < tops[1]) == (tops[3] < tops[2])


def test_a_long_edge_runs_around_the_boxes_between() -> None:
    drawing = lay_out([0, 1, 2], [(0, 1), (1, 2), (0, 2)], [50.0] * 3, HEIGHT)
    _, top, _ = drawing.boxes[1]
    through = [y for _, y in drawing.routes[0, 2][1:-1]]
    assert through
    assert all(not top <= y <= top + HEIGHT for y in through)


def test_the_drawing_starts_at_the_top_left_corner() -> None:
    drawing = lay_out([0, 1, 1, 1], [(0, 1), (0, 2), (0, 3)], [50.0] * 4, HEIGHT)
    assert min(x for x, _, _ in drawing.boxes) == 0
    assert min(y for _, y, _ in drawing.boxes) == 0
    assert max(y for _, y, _ in drawing.boxes) + HEIGHT == drawing.height


def test_nothing_to_draw_needs_no_room() -> None:
    drawing = lay_out([], [], [], HEIGHT)
    assert (drawing.width, drawing.boxes) == (0, [])


def test_long_edges_of_one_parent_share_their_bends() -> None:
    assert bends([0, 1, 2, 3], [(0, 1), (1, 2), (2, 3), (0, 2), (0, 3)]) == 2
