"""Sections that decide who speaks: active speaker, lip sync, bindings."""

from typing import Literal

from pydantic import Field

from speakervid_dag.config.sections.base import Section


class ActiveSpeakerSettings(Section):
    """Networks of the two tasks of active-speaker detection."""

    talking: Literal["lip_network", "light_asd"] = Field(
        description="is this face talking? lip_network: the packaged network; light_asd: another one, until whose "
        "weights are there lip_network answers"
    )
    synchrony: Literal["lip_network", "syncnet"] = Field(
        description="whose Sync-C a track has in a turn; who is bound does not depend on it"
    )


class SyncSettings(Section):
    """Lip-sync scores of one track and one turn."""

    min_overlap_s: float = Field(
        description="shortest common time of a scored track and turn, s; SpeakerVid-5M: 0.5", ge=0
    )


class BindingSettings(Section):
    """Binding of speakers to faces. Values without a source are our own defaults."""

    IN_ORDER = (("min_log_odds", "<=", "min_log_odds_in_overlap"),)

    min_probability: float = Field(description="lowest calibrated probability of a face that is bound, 0-1", ge=0, le=1)
    min_log_odds: float = Field(description="lowest mean talking log odds of it")
    min_log_odds_in_overlap: float = Field(description="... while somebody else talks too")
    min_face_share: float = Field(description="share of a stretch in which it is seen, 0-1", ge=0, le=1)
    min_sync_s: float = Field(
        description="a speaker whose face was bound for this long is asked if the sound is theirs, s",
        gt=0,
    )
    min_sync_margin: float = Field(
        description="... lowest mean margin of synchrony of a sound that is theirs", ge=-2, le=2
    )
    min_sync_margin_unaligned: float = Field(
        description="... where the offset of the sound is not measurable", ge=-2, le=2
    )
    min_readable_share: float = Field(
        description="... share of frames in which the lips can be read; with less, nothing is refused, 0-1", ge=0, le=1
    )
