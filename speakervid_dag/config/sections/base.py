"""The base class of all sections.

Belongs here: that class. Does not belong here: fields.
"""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all sections: immutable; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
