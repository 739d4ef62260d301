"""Types of language codes: those of the recogniser, and those of containers.

Belongs here: the codes and their form. Does not belong here: fields.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

# Whisper's own codes: ISO 639-1, but for `haw` and `yue`, which have none, and the old `jw`
_WHISPER = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id "
    "is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si "
    "sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh"
)
WHISPER_LANGUAGES = frozenset(_WHISPER.split())
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")  # ISO 639 in most containers, BCP 47 (pt-BR) in some


def _spoken(code: str) -> str:
    if code not in WHISPER_LANGUAGES:
        raise ValueError(f"must be an ISO 639-1 code that Whisper knows, such as en, de or zh, not {code!r}")
    return code


def _tagged(code: str) -> str:
    if not _TAG.fullmatch(code):
        raise ValueError(f"must be a language code of two or three letters, such as en, deu or pt-BR, not {code!r}")
    return code


SpokenLanguage = Annotated[str, AfterValidator(_spoken)]
TrackLanguage = Annotated[str, AfterValidator(_tagged)]
