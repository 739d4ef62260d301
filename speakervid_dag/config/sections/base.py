"""The base class of all sections, and the types of values inside lists and mappings.

Belongs here: that class, those types. Does not belong here: fields.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

OUT_OF_ORDER = "out_of_order"  # pydantic's type of the error whose `ctx` has `pairs`


def _odd(count: int) -> int:
    if count % 2 == 0:
        raise ValueError(f"must be odd, not {count}")
    return count


Cosine = Annotated[float, Field(ge=-1, le=1)]
Odd = Annotated[int, AfterValidator(_odd)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """Base of all sections: immutable; unknown keys are errors, and so are pairs of values in the wrong order."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    IN_ORDER: ClassVar[tuple[tuple[str, Literal["<=", "<"], str], ...]] = ()  # the smaller value's key first

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        wrong = []
        for low, sign, high in self.IN_ORDER:
            small, large = getattr(self, low), getattr(self, high)
            if small > large or (sign == "<" and small == large):
                wrong.append((low, sign, high))
        if wrong:
            told = ", ".join(map(" ".join, wrong))
            raise PydanticCustomError(OUT_OF_ORDER, "needs {told}", {"told": told, "pairs": wrong})
        return self
