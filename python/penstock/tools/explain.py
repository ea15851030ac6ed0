"""From pydantic's errors to faults that a model can act on."""

from pydantic_core import CoreSchema, ErrorDetails, ValidationError

from penstock.errors import Fault, InvalidArguments, shown


def invalid_arguments(error: ValidationError, tool: str, schema: CoreSchema) -> InvalidArguments:
    """Return every fault that `error` holds."""
    faults = tuple(_fault(details) for details in error.errors(include_url=False))
    return InvalidArguments(tool, faults)


def _fault(details: ErrorDetails) -> Fault:
    path = ".".join(str(part) for part in details["loc"])
    return Fault(path, details["msg"], "", shown(details["input"], field=path))
