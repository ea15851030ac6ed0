"""Results: what it costs to pack a value, to see that it is not worth it, and what packing gains.

The baseline is `zstandard`, the usual binding of the same C library, with contexts that it keeps.
`_values.py` makes the values: JSON as tools return it, and what should not be packed at all.
"""
