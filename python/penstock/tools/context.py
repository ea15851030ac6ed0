"""The `Context` parameter: how a tool asks who it is running for.

The class is native. It is recognised by its qualified name, so that reading a signature does not
depend on how the annotation was spelled or imported.
"""

from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

_NAME = ("penstock._native", "Context")


def is_context(annotation: object) -> bool:
    """Return whether a parameter with this annotation is to receive the call's `Context`."""
    if get_origin(annotation) is Annotated:
        return is_context(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        others = [option for option in get_args(annotation) if option is not NoneType]
        return len(others) == 1 and is_context(others[0])
    return (
        isinstance(annotation, type) and (annotation.__module__, annotation.__qualname__) == _NAME
    )
