"""`@tool`: a function that a model may ask for.

Registration reads the signature and builds one pydantic-core validator, some 0.3 ms a tool; the
JSON Schema, which only `describe` needs, is made when first read.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, update_wrapper
from types import FrameType
from typing import Any, Generic, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from pydantic_core import CoreSchema, SchemaValidator, ValidationError

from penstock.errors import ConfigError, InvalidArguments
from penstock.tools import (
    docstring,
    explain,
    generators,
    options,
    resources,
    schema,
    settings,
    signature,
)
from penstock.tools.options import Effects, Host, Price, refuse_unknown
from penstock.tools.signature import Signature

P = ParamSpec("P")
R = TypeVar("R")


class Tool(Generic[P, R]):
    """A callable with what the engine and a model need to know about it.

    Calling a tool calls its function, unchanged and without the engine. Made by `tool`.

    Attributes:
        name: unique in an engine; what the model says.
        description: the first paragraph of the docstring, on one line.
        function: the callable itself.
        effects: what it does to the world.
        service: the outside service that it uses, for limits; None for none.
        timeout: seconds for one attempt; None for no limit.
        priority: 0 (first) to 7 (last).
        host: where it runs.
        concurrency: how many of its calls may run at once; None for any number.
        value_bytes: the largest value that it may return; None for what the engine allows.
        media_type: of bytes and text that it returns; empty if it does not say.
        tags: names to choose tools by.
        cost: what a call takes of its limits; None for one request.
        retries, hedge, cache, breaker, shed: the settings of these policies; None where not used.
        coalesce: whether equal calls that run at the same time share one run.
        early: the parameters that `prepare` waits for, while a reply streams; empty for none.
        prepare, abort: what is done when they are known, and what undoes it; None for nothing.
        commit: what is done instead of the function with what was prepared; None for nothing.
        reads, mutates: templates of what it depends on, and of what it changes; None if it does not
            say, which is anything.
        stable_for: seconds for which its values are good in sessions; None for as long as nothing
            that it reads was changed.
        speculate: whether it may run before it is asked for; None leaves that to the rules.
        price: micro-dollars of one call.
    """

    name: str
    description: str
    function: Callable[P, R]
    effects: Effects
    service: str | None
    timeout: float | None
    priority: int
    host: Host
    concurrency: int | None
    value_bytes: int | None
    media_type: str
    tags: frozenset[str]
    cost: Price | None
    retries: settings.Retry | None
    hedge: settings.Hedge | None
    cache: settings.Cache | settings.Sharing | None
    coalesce: bool
    breaker: settings.Breaker | None
    shed: settings.Shed | None
    early: tuple[str, ...]
    prepare: Callable[[dict[str, Any]], Any] | None
    commit: Callable[[Any], Any] | None
    abort: Callable[[Any], Any] | None
    reads: tuple[str, ...] | None
    mutates: tuple[str, ...] | None
    stable_for: float | None
    speculate: bool | None
    price: int

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        effects: Effects = "once",
        service: str | None = None,
        timeout: float | None = None,
        priority: int = 4,
        host: Host | None = None,
        concurrency: int | None = None,
        value_bytes: int | None = None,
        media_type: str = "",
        tags: Iterable[str] = (),
        cost: Price | None = None,
        retries: int | settings.Retry | None = None,
        hedge: bool | settings.Hedge | None = None,
        cache: float | settings.Cache | settings.Sharing | None = None,
        coalesce: bool = False,
        breaker: bool | settings.Breaker | None = None,
        shed: int | settings.Shed | None = None,
        early: Iterable[str] = (),
        prepare: Callable[[dict[str, Any]], Any] | None = None,
        commit: Callable[[Any], Any] | None = None,
        abort: Callable[[Any], Any] | None = None,
        reads: Iterable[str] | None = None,
        mutates: Iterable[str] | None = None,
        stable_for: float | None = None,
        speculate: bool | None = None,
        price: int = 0,
        names: Mapping[str, object] | None = None,
    ) -> None:
        # The options are described at `tool`; `names` are local names that annotations may use.
        function = self._take(function, name)
        self.effects = options.effects(effects, self.name)
        self.service = options.service(service, self.name)
        self.timeout = options.timeout(timeout, self.name)
        self.priority = options.priority(priority, self.name)
        self.host = options.host(host, function, self.name)
        self.concurrency = options.concurrency(concurrency, self.name)
        self.value_bytes = options.value_bytes(value_bytes, self.name)
        self.media_type = options.media_type(media_type, self.name)
        self.tags = options.tags(tags, self.name)
        self.cost = options.cost(cost, self.name)
        self.retries = settings.retries(retries, self.effects, self.name)
        self.hedge = settings.hedge(hedge, self.effects, self.name, self.host)
        self.cache = settings.cache(cache, self.effects, self.name)
        self.coalesce = settings.coalesce(coalesce, self.effects, self.name)
        self.breaker = settings.breaker(breaker, self.name)
        self.shed = settings.shed(shed, self.name)
        halves = {"prepare": prepare, "commit": commit, "abort": abort}
        self.early = options.early(early, halves, self.effects, self.host, self.name)
        self.prepare, self.commit, self.abort = prepare, commit, abort
        self.price = settings.price(price, self.name)
        self._share(reads, mutates, stable_for, speculate)
        self._build(names or {})

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, unchanged; one that yields is run to its end."""
        return self.function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> "Tool[..., R]":
        """Bind a tool that was declared in a class body to an instance."""
        if instance is None or not self._binds:
            return self
        return self.replace(self.function.__get__(instance, owner))

    def __repr__(self) -> str:
        return f"<Tool {self.name!r}: {self.host}, {self.effects}>"

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The Python names of the parameters in order, without the Context and `**extras`."""
        return self._signature.parameters

    @cached_property
    def keyword_only(self) -> int:
        """How many of the last parameters must be passed by name, those behind the Context too."""
        return self._signature.keyword_only

    @cached_property
    def extras(self) -> bool:
        """Whether names beyond the parameters are accepted (`**extras`)."""
        return self._signature.extras

    @cached_property
    def context_parameter(self) -> str | None:
        """The name of the parameter that receives the `Context`, if there is one."""
        return self._signature.context

    @cached_property
    def validator(self) -> SchemaValidator:
        """Turns a JSON object into `((), {name: value})`, with every default filled in."""
        return schema.validator(self._core_schema)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of the arguments."""
        documentation = docstring.read(_documentation(self.function))
        return schema.json_schema(self._core_schema, self._signature, documentation, self.name)

    def validate(
        self, arguments: bytes | str | Mapping[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        """Return `(args, kwargs)` to call the function with; the Context is not among them.

        Args:
            arguments: a JSON object as text (empty text is an empty object, as some providers send
                it), or its value.

        Raises:
            InvalidArguments: with every fault; the model acts.
        """
        try:
            _, named = self._parse(arguments)
        except ValidationError as error:
            raise self.explain(error) from None
        first = self.parameters[: self._signature.positional_only]
        return tuple(named.pop(name) for name in first), named

    def bound(self, arguments: bytes | str | Mapping[str, object]) -> Any:
        """Return validated arguments as the host has them: values in the order of `parameters`.

        With `**extras` they are a pair of these values and a dict of the others.

        Raises:
            InvalidArguments: with every fault; the model acts.
        """
        first, named = self.validate(arguments)
        rest = (named.pop(parameter) for parameter in self.parameters[len(first) :])
        values = (*first, *rest)
        return (values, named) if self.extras else values

    @cached_property
    def resources_read(self) -> resources.Names | None:
        """From validated arguments to the names of what a call depends on; None if not said."""
        return self._resources("reads", self.reads, resources.MOST_NAMES)

    @cached_property
    def resources_changed(self) -> resources.Names | None:
        """From validated arguments to the names of what a call changes; None if not said."""
        return self._resources("mutates", self.mutates, resources.MOST_CHANGED)

    def explain(self, error: ValidationError) -> InvalidArguments:
        """Return what is wrong with the arguments in words that a model can act on."""
        return explain.invalid_arguments(error, self.name, self._core_schema)

    def replace(
        self, function: Callable[..., Any] | None = None, **changes: Any
    ) -> "Tool[..., Any]":
        """Return a copy with another function or other options."""
        options.refuse_unknown(changes, ToolOptions.__annotations__)
        return Tool(function or self.function, **{**self._options(), **changes})

    def _take(self, function: Callable[P, R], name: str | None) -> Callable[P, R]:
        """What the function itself says; returns the one to run."""
        self._binds = inspect.isfunction(function)  # not a static method, and no other object
        if isinstance(function, staticmethod):
            function = function.__func__
        if not _can_be_tool(function):
            raise ConfigError("function", function, "a tool is made of a function")
        self.name = options.name(name, function)
        options.refuse_generators(function, self.name)
        if generators.is_streaming(function):
            function = cast("Callable[P, R]", generators.collected(function))
        self.function = function
        update_wrapper(self, function, updated=())  # for help() and inspect.signature()
        self.description = docstring.summary(_documentation(function))
        return function

    def _share(self, reads: object, mutates: object, stable_for: object, speculate: object) -> None:
        """What sessions may do with its values."""
        self.reads = options.reads(reads, self.effects, self.name)
        self.mutates = options.mutates(mutates, self.effects, self.name)
        self.stable_for = settings.stable_for(stable_for, self.cache, self.effects, self.name)
        self.speculate = settings.speculate(speculate, self.effects, self.name)

    def _build(self, names: Mapping[str, object]) -> None:
        """What its signature decides, as far as that can be read already."""
        self._names = names
        try:
            self.validator  # noqa: B018 - built now: a fault shows where the tool is defined
            resources.check_names("reads", self.reads, self.parameters, self.name)
            resources.check_names("mutates", self.mutates, self.parameters, self.name)
        except ConfigError as error:
            # An annotation may name what its module defines further down: tried again on first use.
            if not isinstance(error.__cause__, NameError):
                raise
        else:
            options.early_names(self.early, self.parameters, self.name)

    def _resources(
        self, option: str, given: tuple[str, ...] | None, most: int
    ) -> resources.Names | None:
        if given is None:
            return None
        resources.check_names(option, given, self.parameters, self.name)
        return resources.names(given, self.parameters, extras=self.extras, most=most)

    def _options(self) -> dict[str, Any]:
        own = {key: getattr(self, key) for key in ToolOptions.__annotations__}
        return {**own, "names": self._names}

    @cached_property
    def _signature(self) -> Signature:
        try:
            return signature.read(self.function, self.name, self._names)
        except NameError as error:
            raise self._undefined(error) from error

    @cached_property
    def _core_schema(self) -> CoreSchema:
        try:
            return schema.arguments_schema(self._signature, self.name)
        except NameError as error:
            raise self._undefined(error) from error

    def _parse(self, arguments: object) -> Any:
        if isinstance(arguments, Mapping):
            return self.validator.validate_python(dict(arguments))
        # Pydantic would take the items of an array by position.
        if not isinstance(arguments, bytes | str) or arguments.lstrip()[:1] in ("[", b"["):
            raise InvalidArguments(self.name, (explain.NOT_AN_OBJECT,))
        return self.validator.validate_json(arguments if arguments.strip() else "{}")

    def _undefined(self, error: NameError) -> ConfigError:
        return ConfigError(
            "annotation", error.name or str(error), f"tool {self.name!r}: not defined"
        )


class ToolOptions(TypedDict, total=False):
    """The options of `tool`; each is described there."""

    name: str | None
    effects: Effects
    service: str | None
    timeout: float | None
    priority: int
    host: Host | None
    concurrency: int | None
    value_bytes: int | None
    media_type: str
    tags: Iterable[str]
    cost: Price | None
    retries: int | settings.Retry | None
    hedge: bool | settings.Hedge | None
    cache: float | settings.Cache | settings.Sharing | None
    coalesce: bool
    breaker: bool | settings.Breaker | None
    shed: int | settings.Shed | None
    early: Iterable[str]
    prepare: Callable[[dict[str, Any]], Any] | None
    commit: Callable[[Any], Any] | None
    abort: Callable[[Any], Any] | None
    reads: Iterable[str] | None
    mutates: Iterable[str] | None
    stable_for: float | None
    speculate: bool | None
    price: int


@overload
def tool(function: Callable[P, R], /, **options: Unpack[ToolOptions]) -> Tool[P, R]: ...


@overload
def tool(**options: Unpack[ToolOptions]) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
    """Make a tool of a function: `@tool`, `@tool(effects="read")` or `tool(function)`.

    Args:
        function: `async def` or `def`; a bound method, a partial or a callable object. What an
            `async def` yields is given to watchers as `call.output`, and joined to its value.
        **options: all optional:

            - `name`: what the model says; the function's own name by default.
            - `effects`: `read`, `idempotent`, `once` (the default) or `compensable`.
            - `service`: the outside service that the tool uses, for limits.
            - `timeout`: seconds for one attempt, above 0 and at most 30 days; None for no limit.
            - `priority`: 0 (first) to 7 (last), 4 by default.
            - `host`: `call` (the default for `async def`), `task`, `inline`, `thread` (the default
              for `def`), `process` or `command`.
            - `concurrency`: how many of its calls may run at once, from 1; None for any number.
            - `value_bytes`: the largest value that it may return, from 1; a larger one is
              `ResultTooLarge`. None for that of the engine's `Results`.
            - `media_type`: of bytes and text that it returns, such as "application/json": large results
              that are JSON already are never encoded again.
            - `tags`: names to choose tools by.
            - `cost`: what a call takes of its limits: a `Cost`, or a function that takes the tool's
              arguments and returns one; one request by default.
            - `retries`: how often a failed call is tried again, or a `Retry`. Like `hedge`, for tools
              whose effects are `read` or `idempotent`.
            - `hedge`: True or a `Hedge`: when a call takes unusually long, run it a second time.
            - `cache`: seconds for which a value answers equal calls of the same tenant, or a `Cache`;
              for `read`, as `coalesce`. In sessions also `"session"` or `"tenant"`: a value answers
              equal calls of the same session, or of all sessions of a tenant, until something that
              the tool reads was changed.
            - `coalesce`: True: equal calls at the same time share one run.
            - `breaker`: True or a `Breaker`: fail at once while the service is down.
            - `shed`: how many calls may wait before more are turned away, or a `Shed`.
            - `early`: names of parameters: when a model that streams has written these, `prepare` is
              called with them, before the other arguments are there.
            - `prepare`: takes a dict of the arguments so far, as the model wrote them; what it returns
              is for `penstock.prepared()`. It must do nothing that anybody notices.
            - `commit`: makes it a staged tool, whose calls may be prepared before they are made, in
              sessions even before they are asked for. Then `prepare` takes all arguments, validated, and
              `commit` what it returned: it runs instead of the function. `abort` is due, too.
            - `abort`: takes what `prepare` returned, and undoes it if it was of no use.
            - `reads`, `mutates`: what a `read` depends on, and what another tool changes, as names with
              parameters: `["order:{order_id}"]`, `["order:*"]`. `[]` is nothing; None, not said, is
              anything.
            - `stable_for`: seconds for which a value of a `read` is good in sessions, whatever others
              may change unseen. Needed for `cache="tenant"`.
            - `speculate`: False if a `read` must not run before it is asked for, True if it may although
              its name or its reach speaks against it; None leaves that to the rules.
            - `price`: whole micro-dollars of one call.

    Returns:
        The `Tool`; without `function`, a decorator that makes one.

    Raises:
        ConfigError: an option or a parameter that cannot work; the author of the tool acts.
    """
    refuse_unknown(options, ToolOptions.__annotations__)
    if function is not None:
        return _make(function, options, sys._getframe(1))
    return lambda decorated: _make(decorated, options, sys._getframe(1))


def _make(function: Callable[..., Any], chosen: ToolOptions, frame: FrameType) -> Tool[..., Any]:
    return Tool(function, names=signature.visible_names(function, frame), **chosen)


def _can_be_tool(function: object) -> bool:
    return callable(function) and not isinstance(function, type | Tool)


def _documentation(function: Callable[..., object]) -> str | None:
    inner = signature.innermost(function)
    if inner.__doc__ or inner.__name__ != "__call__":
        return inner.__doc__
    return type(function).__doc__
