"""The command line, run as `python -m speakervid_dag`."""

from speakervid_dag.cli.app import main

main()
