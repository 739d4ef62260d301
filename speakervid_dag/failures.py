"""Failure types: what a stage may raise, and what becomes of it.

Belongs here: the exception classes that carry a machine-readable reason. Does not belong here: retry logic, logging,
or anything that knows a stage. A `PermanentFailure` becomes a status row after one attempt; a `TransientFailure` may be
tried again; a `UserError` is a sentence for the person at the command line.
"""

FAULT = "internal_error"  # reason of a video that a fault of ours cost: it counts as stale until it is mended
OUT_OF_MEMORY = "out_of_memory"  # reason of a video that took more memory than is allowed, however that was noticed


class SpeakervidError(Exception):
    """Base of everything this project raises on purpose."""


class UserError(SpeakervidError):
    """Wrong input from a person: printed as one line, exit status 2."""


class OperationError(SpeakervidError):
    """Something of ours could not do its work: printed as one line, exit status 1."""


class SourceAbsent(OperationError):
    """A video's bytes are not at hand: nothing is decided about it, and what is published of it stays.

    Args:
        reason: missing_file, changed_file or unreadable_file.
    """

    def __init__(self, detail: str, reason: str = "missing_file") -> None:
        super().__init__(detail)
        self.reason = reason


class WeightsUnusable(OperationError):
    """Weights are damaged, or made what the lake holds and are gone: nothing is computed without them.

    It stops a stage. Other exceptions cost the stage one video.
    """


class StageFailure(SpeakervidError):
    """A stage cannot give a result for one video.

    Args:
        reason: snake_case word, stored in a `reason` column.
        detail: sentence for a person, stored in `detail`.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class PermanentFailure(StageFailure):
    """The same input will fail again: no retry."""


class TransientFailure(StageFailure):
    """Trying again may help (a busy store, a lost worker)."""


class WeightsMissing(PermanentFailure):
    """A model's weights are not on disk. `detail` says what gets them: `remedy`, or the command that pulls them."""

    def __init__(self, name: str, remedy: str | None = None) -> None:
        told = remedy or f"run `speakervid models pull {name}`"
        super().__init__("weights_missing", f"weights '{name}' are not on disk: {told}")
        self.name = name
