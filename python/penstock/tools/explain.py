"""From pydantic's errors to faults that a model can act on.

Each fault says where in the model's own JSON, what was wrong, what is allowed and what was found. A
union that nothing fitted is one fault, not one for each of its choices; where the value had the
kind of some choices, only what is wrong inside those is told.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic_core import CoreSchema, ErrorDetails, ValidationError

from penstock.errors import Fault, InvalidArguments, extend_path, nearest, shown
from penstock.tools.locate import Locator, Place

MOST_FAULTS = 20
"""A list of 10,000 wrong items must not become 10,000 lines of a model's context."""

MOST_NAMES = 30
"""How many known names a fault lists."""

NOT_AN_OBJECT = Fault("", "the arguments must be one JSON object")


@dataclass(frozen=True, slots=True)
class _Finding:
    place: Place
    fault: Fault


def invalid_arguments(error: ValidationError, tool: str, schema: CoreSchema) -> InvalidArguments:
    """Return what is wrong, in the order of the parameters.

    Args:
        error: what the tool's validator raised.
        tool: its name.
        schema: the core schema of its validator.
    """
    locator = Locator(schema)
    findings = [_finding(details, locator) for details in error.errors(include_url=False)]
    faults = tuple(dict.fromkeys(_merged(findings, level=0)))
    if NOT_AN_OBJECT in faults:
        return InvalidArguments(tool, (NOT_AN_OBJECT,))
    if len(faults) > MOST_FAULTS:
        faults = (*faults[:MOST_FAULTS], Fault("", f"and {len(faults) - MOST_FAULTS} more"))
    return InvalidArguments(tool, faults)


def _finding(details: ErrorDetails, locator: Locator) -> _Finding:
    place = locator.locate(details["loc"])
    describe = _SPECIAL.get(details["type"], _usual)
    return _Finding(place, describe(details, place))


def _usual(details: ErrorDetails, place: Place) -> Fault:
    problem = details["msg"]
    raised = details.get("ctx", {}).get("error")
    if isinstance(
        raised, Exception
    ):  # the text of a ValueError or AssertionError, as it was written
        problem = str(raised) or problem
    problem = _IN_JSON.get(details["type"], problem).removeprefix("Input ")
    if place.is_key:
        problem = f"the key {problem}"
    return Fault(place.path, problem, "", shown(details["input"], field=place.path))


def _missing(_details: ErrorDetails, place: Place) -> Fault:
    return Fault(place.path, "is required, and missing")


def _unknown_name(details: ErrorDetails, place: Place) -> Fault:
    name = str(details["loc"][-1])
    near = nearest(name, place.siblings, most=1)
    problem = "is not a known name" + (f"; did you mean {near[0]!r}?" if near else "")
    return Fault(place.path, problem, _listed(place.siblings))


def _hidden(details: ErrorDetails, _place: Place) -> Fault:
    return Fault(extend_path("", str(details["ctx"]["name"])), "is not a known name")


def _not_json(details: ErrorDetails, place: Place) -> Fault:
    what = "is not valid JSON in a text" if place.path else "the arguments are not valid JSON"
    return Fault(place.path, f"{what}: {details['ctx']['error']}")


def _not_an_object(_details: ErrorDetails, _place: Place) -> Fault:
    return NOT_AN_OBJECT


_SPECIAL: dict[str, Callable[[ErrorDetails, Place], Fault]] = {
    "missing": _missing,
    "missing_argument": _missing,
    "missing_keyword_only_argument": _missing,
    "unexpected_keyword_argument": _unknown_name,
    "extra_forbidden": _unknown_name,
    "hidden_argument": _hidden,
    "json_invalid": _not_json,
    "arguments_type": _not_an_object,
    "unexpected_positional_argument": _not_an_object,
}


# What pydantic says in Python's words, in those of JSON.
_IN_JSON = {
    "dict_type": "should be an object",
    "model_type": "should be an object",
    "model_attributes_type": "should be an object",
    "dataclass_type": "should be an object",
    "list_type": "should be an array",
    "tuple_type": "should be an array",
    "named_tuple_type": "should be an array",
    "set_type": "should be an array",
    "frozen_set_type": "should be an array",
    "none_required": "should be null",
}


def _listed(names: tuple[str, ...]) -> str:
    if not names:
        return "no names at all"
    listed = ", ".join(repr(name) for name in names[:MOST_NAMES])
    return listed if len(names) <= MOST_NAMES else f"{listed} and {len(names) - MOST_NAMES} more"


def _merged(findings: Iterable[_Finding], level: int) -> list[Fault]:
    """Return the faults of `findings`, with each union at this level of nesting told once."""
    faults: list[Fault] = []
    unions: dict[str, dict[str, list[_Finding]]] = {}
    places: dict[str, int] = {}
    for finding in findings:
        if len(finding.place.branches) <= level:
            faults.append(finding.fault)
            continue
        branch = finding.place.branches[level]
        places.setdefault(branch.path, len(faults))
        unions.setdefault(branch.path, {}).setdefault(branch.label, []).append(finding)
    for path in reversed(unions):  # from the last, so that the earlier positions stay true
        faults[places[path] : places[path]] = _union(path, unions[path], level)
    return faults


def _union(path: str, branches: dict[str, list[_Finding]], level: int) -> list[Fault]:
    told = {label: _merged(findings, level + 1) for label, findings in branches.items()}
    inside = {
        label: faults
        for label, faults in told.items()
        if all(fault.path != path for fault in faults)
    }
    if len(inside) == 1 or len(told) == 1:
        return next(iter((inside or told).values()))
    if inside:
        return [
            Fault(fault.path, f"as {label}: {fault.problem}", fault.allowed, fault.value)
            for label, faults in inside.items()
            for fault in faults
        ]
    every = [fault for faults in told.values() for fault in faults]
    allowed = dict.fromkeys(_form(fault) for fault in every)
    return [Fault(path, "fits none of the allowed forms", " or ".join(allowed), every[0].value)]


def _form(fault: Fault) -> str:
    wanted = fault.problem.removeprefix("should be ").partition(", unable to")[0]
    return fault.allowed or wanted
