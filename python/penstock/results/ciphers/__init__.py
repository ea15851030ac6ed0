"""Ciphers for values at rest, one file each. The libraries behind them are loaded with the first key."""

from penstock._registry import Registry
from penstock.results.ciphers._protocol import Box, Cipher

__all__ = ["CIPHERS", "Box", "Cipher"]

CIPHERS = Registry("cipher", "penstock.results.ciphers", "CIPHER", Cipher)
