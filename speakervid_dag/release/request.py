"""What is asked of an export, and how manifests hold it.

Belongs here: the request's values. Does not belong here: reading them from a command line, doing it (export).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from speakervid_dag.media.cut import Encoding
from speakervid_dag.release import card, splits

DEFAULT_SPLIT = "train=.9,val=.05,test=.05"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for; all of it but `workers` decides what the release is."""

    branch: str
    tiers: tuple[str, ...] = ("sft",)
    form: str = "hf"
    shares: Mapping[str, float] = field(default_factory=lambda: splits.parse_shares(DEFAULT_SPLIT))
    seed: int = 0
    limit: int | None = None
    is_cropped: bool = True
    encoding: Encoding = field(default_factory=Encoding)
    licence: str = card.UNSAID
    consent: str = card.UNSAID
    workers: int = 1

    def told(self, snapshot: int, profile: str) -> dict[str, Any]:
        """Return the manifest's `request`, asked of this snapshot."""
        return {
            "snapshot": snapshot,
            "profile": profile,
            "branch": self.branch,
            "tiers": list(self.tiers),
            "format": self.form,
            "split": dict(self.shares),
            "seed": self.seed,
            "limit": self.limit,
            "is_cropped": self.is_cropped,
            "encoding": self.encoding.as_dict(),
        }

    @property
    def card(self) -> dict[str, str]:
        """What the card says in the asker's words; manifests hold it beside `request`."""
        return {"licence": self.licence, "consent": self.consent}
