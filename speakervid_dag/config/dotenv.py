"""Prints the `.env` with which `dagster dev` in a checkout opens the same lake as the command line.

Belongs here: that one text. Does not belong here: settings themselves (settings.py).

It names the lake and what the environment sets by hand, nothing else: a value in `.env` wins over the environment of
`dagster dev`, so that a default written down here could not be changed any more.
"""

import sys

from speakervid_dag.config.settings import PREFIX, export_settings, load_settings


def lines() -> list[str]:
    """NAME=value, one a line."""
    settings = load_settings()
    named = {"DAGSTER_HOME", *(PREFIX + field.upper() for field in {"lake", *settings.model_fields_set})}
    return [f"{name}={value}\n" for name, value in export_settings(settings).items() if name in named]


if __name__ == "__main__":
    sys.stdout.writelines(lines())
