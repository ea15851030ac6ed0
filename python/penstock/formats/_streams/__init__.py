"""Reading a reply while the model still writes it: the readers behind each format's `reader()`.

A reader takes the pieces of one streamed reply and tells what became certain: a call has begun, a
value of its arguments is complete, the call is complete, the reply has ended. What this package is
not: it starts no call, see `penstock.engine.reply`. Read `events.py` first, then `reader.py`,
`draft.py` and `anthropic.py`.
"""
