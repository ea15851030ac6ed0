"""What a docstring tells a model: the first paragraph, and a sentence for each parameter."""

import inspect
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from docstring_parser import ParseError, parse

# A section that follows the first paragraph without the blank line that belongs there.
_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Returns|Yields|Raises|Examples?|Notes?):?\s*$|[:@]\w+"
)


@dataclass(frozen=True, slots=True)
class Docstring:
    """The parts of a docstring that a model reads.

    Attributes:
        summary: the first paragraph on one line; empty if there is none.
        parameters: a description by the name of the parameter.
    """

    summary: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def summary(text: str | None) -> str:
    """Return the first paragraph of a docstring on one line."""
    lines = inspect.cleandoc(text or "").splitlines()
    paragraph = itertools.takewhile(lambda line: line and not _SECTION.match(line), lines)
    return " ".join(" ".join(paragraph).split())


def read(text: str | None) -> Docstring:
    """Read a docstring in the style of Google, NumPy, Sphinx or Epydoc.

    A docstring is prose: one that follows no style gives no parameters, never an error.
    """
    if not text:
        return Docstring()
    try:
        found = parse(text).params
    except ParseError:
        found = []
    parameters = {
        entry.arg_name.lstrip("*"): " ".join(entry.description.split())
        for entry in found
        if entry.description and entry.args[0] != "attribute"
    }
    return Docstring(summary(text), parameters)
