"""A tool's arguments as pydantic sees them: one validator, and a JSON Schema on demand."""

import inspect
from typing import Any, cast

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUndefinedAnnotation
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import CoreSchema, PydanticCustomError, SchemaError, SchemaValidator, core_schema

from penstock.errors import ConfigError
from penstock.tools.docstring import Docstring
from penstock.tools.signature import Signature

# What building a validator raises for an annotation, a constraint or a pattern that cannot work.
_UNSUPPORTED = (PydanticUserError, SchemaError, TypeError, ValueError, RuntimeError)


def arguments_schema(signature: Signature, tool: str) -> CoreSchema:
    """Return the core schema that turns a JSON object into `((), {name: value})`.

    Raises:
        ConfigError: an annotation that pydantic cannot validate, naming the parameter.
        NameError: an annotation names something that is not defined yet.
    """
    try:
        schema = _of_fields(signature.fields)
    except PydanticUndefinedAnnotation:
        raise
    except _UNSUPPORTED as error:
        raise _culprit(signature, tool, error) from error
    if signature.extras and signature.hidden:
        return _without_hidden(schema, signature.hidden)
    return schema


def validator(schema: CoreSchema) -> SchemaValidator:
    """Return the one validator of a tool."""
    return SchemaValidator(schema)


def json_schema(
    schema: CoreSchema, signature: Signature, docstring: Docstring, tool: str
) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the arguments: an object schema, without titles.

    Raises:
        ConfigError: a type that no JSON value can be, such as a callable; names the parameter.
    """
    try:
        result = _Generator(by_alias=True).generate(schema, mode="validation")
    except PydanticInvalidForJsonSchema as error:
        raise _culprit(signature, tool, error) from error
    for definition in result.get("$defs", {}).values():
        definition.pop("title", None)
    properties = result["properties"]
    for name, text in docstring.parameters.items():
        if name in properties:
            properties[name].setdefault("description", text)
    return {
        "type": "object",
        "properties": properties,
        "required": result.get("required", []),
        "additionalProperties": result.get("additionalProperties", True),
        **({"$defs": result["$defs"]} if "$defs" in result else {}),
    }


class _Generator(GenerateJsonSchema):
    # A default that JSON cannot express is left out of the schema; the validator still fills it in.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {  # noqa: RUF012 - as in the base class
        "skipped-choice",
        "non-serializable-default",
    }

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _of_fields(fields: inspect.Signature) -> CoreSchema:
    call = TypeAdapter[object](_stand_in(fields)).core_schema
    if call["type"] == "definitions":
        inner = cast(core_schema.CallSchema, call["schema"])["arguments_schema"]
        return core_schema.definitions_schema(inner, call["definitions"])
    return cast(core_schema.CallSchema, call)["arguments_schema"]


def _stand_in(fields: inspect.Signature) -> Any:
    """Make a function that has these parameters as far as pydantic can tell."""

    def arguments() -> None: ...

    arguments.__signature__ = fields  # type: ignore[attr-defined]  # inspect.signature reads it
    arguments.__annotations__ = {
        parameter.name: parameter.annotation for parameter in fields.parameters.values()
    }
    return arguments


def _without_hidden(schema: CoreSchema, hidden: frozenset[str]) -> CoreSchema:
    """Refuse hidden names, which `**extras` would otherwise let a model pass."""

    def check(arguments: tuple[object, dict[str, object]]) -> tuple[object, dict[str, object]]:
        for name in hidden.intersection(arguments[1]):
            raise PydanticCustomError("hidden_argument", "{name} cannot be passed", {"name": name})
        return arguments

    return core_schema.no_info_after_validator_function(check, schema)


def _culprit(signature: Signature, tool: str, error: Exception) -> ConfigError:
    for parameter in signature.fields.parameters.values():
        alone = inspect.Signature([parameter])
        try:
            _Generator().generate(_of_fields(alone), mode="validation")
        except (*_UNSUPPORTED, PydanticInvalidForJsonSchema) as own:
            reason = f"tool {tool!r} cannot have a parameter of this type: {_first_line(own)}"
            return ConfigError(parameter.name, parameter.annotation, reason)
    return ConfigError("function", tool, f"its arguments cannot be validated: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
