"""Penstock runs the tool calls of LLM agents in parallel."""
