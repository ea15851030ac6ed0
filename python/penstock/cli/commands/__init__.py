"""The commands: one file each, whose `COMMAND` is a `click.Command` of the same name.

The first line of a file's docstring is what `penstock --help` says about it. A command returns its
exit code: None or 0 for well, 1 if something was not ok; misuse is a `click.UsageError` or one of
`penstock.errors`, which end with 2.
"""
