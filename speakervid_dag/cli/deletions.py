"""What the commands that delete (`maintain`, `forget`) share: they refuse to work beside a run, and name their own run.

Belongs here: helpers of both. Does not belong here: either command.
"""

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speakervid_dag.config.settings import Settings


def refuse_while_running(settings: "Settings", command: str) -> None:
    """Raise UserError while a Dagster run of this lake is in progress."""
    from speakervid_dag.runs import execution
    from speakervid_dag.runs.instance import lake_instance

    with lake_instance(settings) as instance:
        execution.refuse_while_running(instance, command)


def new_run_id(command: str) -> str:
    """Return a new id under which the command's commits are recorded."""
    return f"{command}-{uuid.uuid4()}"
