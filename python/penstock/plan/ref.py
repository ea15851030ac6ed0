"""`Ref`: a path into the value that another call of the same batch will have."""

from penstock.calls import Ref

__all__ = ["Ref"]
