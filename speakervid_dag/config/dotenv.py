"""Prints the `.env` with which `dagster dev` in a checkout opens the same lake as the command line.

Belongs here: that one text. Does not belong here: settings themselves (settings.py).
"""

import sys

from speakervid_dag.config.settings import export_settings, load_settings

if __name__ == "__main__":
    sys.stdout.writelines(f"{name}={value}\n" for name, value in export_settings(load_settings()).items())
