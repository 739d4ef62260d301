"""The request for an export, and its form in manifests.

Belongs here: the request's values. Does not belong here: parsing a command line (cli/export.py), the export itself
(export).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from speakervid_dag.media.cut import Encoding
from speakervid_dag.release import card, splits

DEFAULT_SPLIT = "train=.9,val=.05,test=.05"


@dataclass(frozen=True, kw_only=True)
class Request:
    """Parameters of an export; all but `workers` determine the release's content."""

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
        """Return the manifest's `request`, for this snapshot."""
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
        """Return the card's texts given by the user; manifests hold them beside `request`."""
        return {"licence": self.licence, "consent": self.consent}
