"""The `.env` file with which `dagster dev` in a checkout opens the same lake as the command line.

Belongs here: that one text. Does not belong here: the settings themselves (settings.py).

It lists only the lake and the variables set in the environment: values in `.env` override the environment of
`dagster dev`, so a default written here could no longer be changed.
"""

import sys

from speakervid_dag.config.settings import PREFIX, export_settings, load_settings


def lines() -> list[str]:
    """Return the lines, each NAME=value."""
    settings = load_settings()
    named = {"DAGSTER_HOME", *(PREFIX + field.upper() for field in {"lake", *settings.model_fields_set})}
    return [f"{name}={value}\n" for name, value in export_settings(settings).items() if name in named]


if __name__ == "__main__":
    sys.stdout.writelines(lines())
