"""A tool's arguments as pydantic sees them: one validator, and a JSON Schema on demand."""

import inspect
from collections.abc import Iterator
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
    names = dict(_names(_arguments(schema)))
    properties = result["properties"]
    for name, text in docstring.parameters.items():
        if names.get(name) in properties:
            properties[names[name]].setdefault("description", text)
    for definition in result.get("$defs", {}).values():
        definition.pop("title", None)
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

    def arguments_schema(self, schema: core_schema.ArgumentsSchema) -> dict[str, Any]:
        result = super().arguments_schema(schema)
        if schema.get("var_kwargs_mode") == "unpacked-typed-dict":
            # Pydantic gives the TypedDict to each extra name; it is the type of all of them.
            unpacked = result.pop("additionalProperties")
            result["properties"] |= unpacked["properties"]
            result["required"] = result.get("required", []) + unpacked.get("required", [])
            result["additionalProperties"] = unpacked.get("additionalProperties", True)
        return result


def _of_fields(fields: inspect.Signature) -> CoreSchema:
    call = TypeAdapter[object](_stand_in(fields)).core_schema
    definitions: list[CoreSchema] = []
    if call["type"] == "definitions":
        call, definitions = call["schema"], call["definitions"]
    arguments = cast(core_schema.CallSchema, call)["arguments_schema"]
    arguments = _closed(cast(core_schema.ArgumentsSchema, arguments), definitions)
    return core_schema.definitions_schema(arguments, definitions) if definitions else arguments


def _closed(
    arguments: core_schema.ArgumentsSchema, definitions: list[CoreSchema]
) -> core_schema.ArgumentsSchema:
    """Refuse names that an unpacked TypedDict does not have; pydantic would drop them silently."""
    if arguments.get("var_kwargs_mode") != "unpacked-typed-dict":
        return arguments
    unpacked: Any = arguments["var_kwargs_schema"]
    if unpacked["type"] == "definition-ref":
        known: Any = definitions
        unpacked = next(one for one in known if one["ref"] == unpacked["schema_ref"])
    closed = {key: value for key, value in unpacked.items() if key != "ref"}
    if closed.get("extra_behavior") == "ignore":
        closed["extra_behavior"] = "forbid"
    return cast(core_schema.ArgumentsSchema, {**arguments, "var_kwargs_schema": closed})


def _arguments(schema: Any) -> core_schema.ArgumentsSchema:
    while schema["type"] != "arguments":
        schema = schema["schema"]
    return cast(core_schema.ArgumentsSchema, schema)


def _names(arguments: core_schema.ArgumentsSchema) -> Iterator[tuple[str, str]]:
    """Yield each parameter's name in Python and its name in JSON."""
    for argument in arguments["arguments_schema"]:
        alias = argument.get("alias")
        yield argument["name"], alias if isinstance(alias, str) else argument["name"]


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
