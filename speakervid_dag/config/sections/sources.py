"""Sections of the stages that process whole files: shots, sound, near-duplicates."""

from pydantic import Field

from speakervid_dag.config.sections.base import Section
from speakervid_dag.config.sections.languages import TrackLanguage


class ShotSettings(Section):
    """Shot boundaries in a low-resolution pass. Values without a source are our own, measured on real videos."""

    long_side_px: int = Field(description="long side of the low-resolution pass, px", gt=0)
    structure_threshold: float = Field(
        description="change of contrast-normalised picture that is a cut, deviations", gt=0
    )
    weak_structure_threshold: float = Field(description="the same if the histogram changes too", gt=0)
    histogram_threshold: float = Field(
        description="1 - correlation of luma histograms that confirms a weak cut; SpeakerVid-5M's scripts: 0.05, alone",
        ge=0,
        le=2,
    )
    histogram_bins: int = Field(description="luma bins of the histogram; SpeakerVid-5M scripts: 256", gt=0)
    calm_frames: int = Field(description="frames compared on either side of a cut", gt=0)
    max_unrest: float = Field(
        description="largest ratio of the median change around a cut to the cut's own change", ge=0
    )
    min_shot_s: float = Field(description="shortest shot, s; SpeakerVid-5M scripts: 15 frames", ge=0)
    dissolve_hz: float = Field(description="frames sampled to find dissolves, Hz", gt=0)
    max_dissolve_s: float = Field(description="longest dissolve, s", gt=0)
    max_blend_detail: float = Field(
        description="largest detail of a dissolve's frame halfway, over the mean of both sides, in three quarters of "
        "the picture (ratio; two unrelated pictures: 0.5, one that moves: 1)",
        gt=0,
    )
    max_detail_error: float = Field(
        description="largest distance of the detail of a dissolve's frames from that of a mixture of both sides (ratio "
        "to their mean)",
        gt=0,
    )
    max_mixture_error: float = Field(
        description="largest distance of a dissolve's frames from a mixture of both sides (ratio; a third picture: "
        "1.4)",
        gt=0,
    )
    max_blend_bend: float = Field(
        description="largest distance of the later side's weight from a steady rise, 0-1", gt=0, lt=1
    )
    max_title_s: float = Field(
        description="longest time between two dissolves that lead back to the same picture, s: a title over it, no "
        "shot",
        ge=0,
    )
    palette_hz: float = Field(description="frames sampled for the picture's colours, Hz", gt=0)


class SoundSettings(Section):
    """Choice of sound tracks and channels. Values without a source are our own, tested on real videos."""

    language: tuple[TrackLanguage, ...] = Field(
        description="preferred languages of tracks, best first, as the container writes them (MP4 deu, Matroska ger); "
        "empty: the track that players choose"
    )
    silent_dbfs: float = Field(
        description="a channel that is never louder is silent, dBFS; the last bit of 16: -90", lt=0, ge=-120
    )
    faint_db: float = Field(
        description="channels always this far below the loud parts of the best one are dropped, dB", gt=0
    )
    in_phase_db: float = Field(
        description="channels are in phase if their mix has this much more power than each, dB; equal ones: 3",
        gt=0,
        le=3,
    )
    in_phase_likeness: float = Field(
        description="... and each one's level correlates at least this much with the mix's; music over a voice: .5",
        gt=0,
        lt=1,
    )
    cancelled_db: float = Field(description="channels cancel if their mix has this much less power, dB", gt=0)
    speech_probability: float = Field(
        description="lowest probability at which a 32 ms step is speech, 0-1; Silero: 0.5", gt=0, lt=1
    )
    min_speech_s: float = Field(description="least speech for a channel or track to count as speaking, s", gt=0)
    mix_speech_share: float = Field(
        description="channels with the same speech are mixed if the mix keeps this share of its time, 0-1", gt=0, le=1
    )
    max_mix_loss_db: float = Field(description="... and is at most this much softer, dB; unrelated channels: 3", ge=3)
    present_db: float = Field(description="a voice is present down to this far below its usual level, dB", gt=0)
    lead_db: float = Field(
        description="a voice leads where the channels already taken are this much softer, relative to the usual level "
        "of each, dB",
        gt=0,
    )
    own_share: float = Field(
        description="two voices take turns if one leads in this share of the time it is present, 0-1",
        gt=0,
        lt=1,
    )
    same_speech: float = Field(
        description="otherwise they say the same if their levels correlate this much, else they talk at once",
        gt=0,
        lt=1,
    )


class NearDuplicateSettings(Section):
    """Content that an earlier source shows, too. Values without a source are our own, tested on real videos."""

    min_s: float = Field(description="shortest stretch, s", gt=0)
    max_distance_bits: int = Field(description="largest Hamming distance of hashes that match, of 64 bits", ge=0, le=64)
    max_hole_steps: int = Field(description="most consecutive hashes in a stretch that do not match", ge=0)
    min_agreement: float = Field(description="lowest rank correlation of the activities, -1 to 1", ge=-1, le=1)
    max_band_sources: int = Field(description="a band of a hash that more sources share is ignored", ge=1)
    max_candidates: int = Field(description="most earlier sources that a source is compared with", ge=1)
