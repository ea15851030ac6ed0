"""Early dispatch: what reading a reply in pieces costs, and how much sooner its calls can start.

The baseline is `jiter` reading the whole prefix again with each piece, as SDKs do that show arguments
while they come; for the time of a byte it is orjson on the whole. Rows of the parser alone are the Rust
core's: `jsonstream/*`.
"""
