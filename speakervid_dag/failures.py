"""Failure types: exceptions that a stage may raise, and how each is handled.

Belongs here: the exception classes that carry a machine-readable reason. Does not belong here: retry logic, logging,
or anything specific to a stage. A `PermanentFailure` becomes a status row after one attempt; a `TransientFailure` may
be retried; a `UserError` is a sentence for the user of the command line.
"""

FAULT = "internal_error"  # reason of a video lost to an internal error: it counts as stale until the error is fixed
OUT_OF_MEMORY = "out_of_memory"  # reason of a video that exceeded the memory limit, however that was detected


class SpeakervidError(Exception):
    """Base of all exceptions that this project raises deliberately."""


class UserError(SpeakervidError):
    """Invalid input by the user: printed as one line, exit status 2."""


class OperationError(SpeakervidError):
    """An operation that could not be completed: printed as one line, exit status 1."""


class SourceAbsent(OperationError):
    """A video whose file is unavailable: nothing is decided about it, and what is published of it stays.

    Args:
        reason: missing_file, changed_file or unreadable_file.
    """

    def __init__(self, detail: str, reason: str = "missing_file") -> None:
        super().__init__(detail)
        self.reason = reason


class WeightsUnusable(OperationError):
    """Weights that are damaged, or that rows of the lake were computed with and that are now missing.

    Stops the whole stage; other exceptions cost the stage only one video.
    """


class StageFailure(SpeakervidError):
    """A stage's failure to compute a result for one video.

    Args:
        reason: snake_case word, stored in a `reason` column.
        detail: sentence for the user, stored in `detail`.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class PermanentFailure(StageFailure):
    """A failure that the same input will cause again: no retry."""


class TransientFailure(StageFailure):
    """A failure that a retry may resolve (a busy store, a lost worker)."""


class WeightsMissing(PermanentFailure):
    """A model whose weights are not on disk. `detail` says how to get them: `remedy`, or the command to pull them."""

    def __init__(self, name: str, remedy: str | None = None) -> None:
        told = remedy or f"run `speakervid models pull {name}`"
        super().__init__("weights_missing", f"weights '{name}' are not on disk: {told}")
        self.name = name
