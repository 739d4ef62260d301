"""Sections of the stages that look at whole files: shots, sound, near-duplicates."""

from pydantic import Field

from speakervid_dag.config.sections.base import Section


class ShotSettings(Section):
    """Shot boundaries over a low-resolution pass. Without a source, a value is our own, measured on real videos."""

    long_side_px: int = Field(description="long side of the low-resolution pass, px", gt=0)
    structure_threshold: float = Field(description="change of contrast-normalised picture that is a cut, deviations")
    weak_structure_threshold: float = Field(description="the same, when the histogram changes too")
    histogram_threshold: float = Field(
        description="1 - correlation of luma histograms that backs a weak cut; alone SpeakerVid-5M's scripts take 0.05"
    )
    histogram_bins: int = Field(description="luma bins of the histogram; SpeakerVid-5M scripts: 256", gt=0)
    calm_frames: int = Field(description="frames looked at on either side of a cut", gt=0)
    max_unrest: float = Field(description="median change around a cut over its own change, at most (ratio)")
    min_shot_s: float = Field(description="shortest shot, s; SpeakerVid-5M scripts: 15 frames", ge=0)
    dissolve_hz: float = Field(description="looks among which dissolves are sought, Hz", gt=0)
    max_dissolve_s: float = Field(description="longest dissolve, s", gt=0)
    max_mixture_error: float = Field(
        description="how far a dissolve's frames may be from a mixture of both sides (ratio; a third picture: 1.4), "
        "and its weight from a steady rise",
        gt=0,
        lt=1,
    )
    palette_hz: float = Field(description="looks at the picture's colours, Hz", gt=0)


class SoundSettings(Section):
    """Which sound tracks and channels are used. Without a source, a value is our own, tried on real videos."""

    language: tuple[str, ...] = Field(
        description="languages whose tracks come before others, best first, as the container writes them (MP4 deu, "
        "Matroska ger); empty: the track that players take"
    )
    silent_dbfs: float = Field(
        description="a channel that nowhere is louder is silent, dBFS; the last bit of 16: -90", lt=0, ge=-120
    )
    faint_db: float = Field(
        description="channels that never come closer than this to the best one's loud parts are left out, dB", gt=0
    )
    in_phase_db: float = Field(
        description="channels add up if their mix has this more power than they alone, dB; equal ones: 3", gt=0, le=3
    )
    in_phase_likeness: float = Field(
        description="... and the level of each correlates with the mix's like this; music over a voice: .5", gt=0, lt=1
    )
    cancelled_db: float = Field(description="they cancel if it has so much less, dB", gt=0)
    speech_probability: float = Field(
        description="a step of 32 ms is speech from this on, 0-1; Silero: 0.5", gt=0, lt=1
    )
    min_speech_s: float = Field(description="a channel or track speaks from this much speech on, s", gt=0)
    mix_speech_share: float = Field(
        description="channels with the same speech are mixed if the mix holds this share of its time, 0-1", gt=0, le=1
    )
    max_mix_loss_db: float = Field(description="... and is at most so much softer, dB; unrelated channels: 3", ge=3)
    present_db: float = Field(description="a voice is there down to so much below its usual level, dB", gt=0)
    lead_db: float = Field(
        description="it has the word where what is taken already is so much softer, each against its usual level, dB",
        gt=0,
    )
    own_share: float = Field(
        description="two voices speak in turns if one has the word in this share of the time it is there, 0-1",
        gt=0,
        lt=1,
    )
    same_speech: float = Field(
        description="else they say the same if their levels correlate like this, and at once if not", gt=0, lt=1
    )


class NearDuplicateSettings(Section):
    """When a source shows what an earlier one shows. Without a source, a value is our own, tried on real videos."""

    min_s: float = Field(description="shortest stretch, s", gt=0)
    max_distance_bits: int = Field(description="looks agree up to this Hamming distance of 64 bits", ge=0, le=64)
    max_hole_steps: int = Field(description="a stretch may hold so many looks on end that disagree", ge=0)
    min_agreement: float = Field(description="rank correlation of the activities, at least, -1 to 1", ge=-1, le=1)
    max_band_sources: int = Field(description="a band of a look that more sources share tells nothing", ge=1)
    max_candidates: int = Field(description="earlier sources that a source is laid over, at most", ge=1)
