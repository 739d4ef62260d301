"""Everything a terminal sees: the commands, one file each, and what they print.

Belongs here: arguments, messages, tables on a terminal. Does not belong here: doing what they ask for.
"""
