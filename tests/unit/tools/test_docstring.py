"""What a model gets to read of a docstring."""

import pytest

from penstock.tools.docstring import read, summary

GOOGLE = """Find papers.

    More words.

    Args:
        query: what to look for,
            on two lines.
        limit (int): how many
        **filters: by field.

    Returns:
        A list.

    Raises:
        ValueError: never.
    """

NUMPY = """Find papers.

    Parameters
    ----------
    query : str
        what to look for,
        on two lines.
    limit : int, optional
        how many
    **filters
        by field.

    Returns
    -------
    list
        A list.
    """

SPHINX = """Find papers.

    :param query: what to look for,
        on two lines.
    :param int limit: how many
    :param filters: by field.
    :returns: A list.
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_each_style_describes_its_parameters(text: str) -> None:
    found = read(text)
    assert found.summary == "Find papers."
    assert found.parameters == {
        "query": "what to look for, on two lines.",
        "limit": "how many",
        "filters": "by field.",
    }


@pytest.mark.parametrize("text", [None, "", "   \n "])
def test_no_docstring_is_no_description(text: str | None) -> None:
    assert read(text).summary == ""
    assert read(text).parameters == {}


@pytest.mark.parametrize(
    "text",
    [
        "Args:",
        "Find.\n\nArgs:\n",
        ":param",
        ":param x y z: q",
        "Parameters\n----",
        "Args:\n    :::",
    ],
)
def test_a_docstring_of_no_style_is_no_error(text: str) -> None:
    assert isinstance(read(text).parameters, dict)


def test_attributes_are_not_parameters() -> None:
    assert read("A.\n\nAttributes:\n    x: a field.\n").parameters == {}


def test_a_summary_is_the_first_paragraph_on_one_line() -> None:
    assert summary("\n  One\n    two.\n\n  Three.") == "One two."


def test_a_summary_ends_before_a_section_that_follows_at_once() -> None:
    assert summary("Find papers.\nArgs:\n    query: what.") == "Find papers."
