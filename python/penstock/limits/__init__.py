"""Limits: how much of something may happen at once. So far: how many calls of a tool or a service."""

from penstock.limits.limit import Limit

__all__ = ["Limit"]
