"""`python -m speakervid_dag` is the command line."""

from speakervid_dag.cli.app import main

main()
