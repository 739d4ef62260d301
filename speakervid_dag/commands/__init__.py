"""Groups of subcommands that would make cli.py long.

Belongs here: arguments, help and printing of a subcommand. Does not belong here: work.
"""
