"""One file a rival: the same turn of tool calls, run by another framework or by hand."""
