"""Sections of voices: speech turns, transcripts."""

from typing import Literal

from pydantic import Field, NonNegativeFloat

from speakervid_dag.config.sections.base import Odd, Seconds, Section


class LocalSpeakerSettings(Section):
    """Diarization by a segmentation network and CAM++. Values without a source are our own."""

    step_s: float = Field(description="distance of the network's windows of 10 s, s", gt=0, le=10)
    min_clean_s: float = Field(description="a voice is embedded by what it says alone if that is this long, s", gt=0)
    min_voice_s: float = Field(description="shorter voices of a window are no speaker, s", ge=0.1)
    vote_s: tuple[Seconds, ...] = Field(description="voices that talk alone for the first of these count, if any do, s")
    join_distance: float = Field(
        description="voices nearer than this are one speaker: average cosine distance", gt=0, le=2
    )
    max_clustered: int = Field(description="most voices compared pairwise, a regular sample (quadratic cost)", ge=2)
    max_pause_s: float = Field(description="shorter pauses in which nobody else talks do not end a turn, s", ge=0)
    min_turn_s: float = Field(description="shorter turns are dropped, s", ge=0)
    min_voice_probability: float = Field(
        description="a speaker talks only where the windows' mean probability of that reaches this, 0-1", gt=0, le=1
    )
    min_overlap_probability: float = Field(
        description="two talk at once where the windows' mean probability of that reaches this, 0-1", gt=0, le=1
    )
    min_speech_probability: float = Field(
        description="turns in which Silero's speech probability never reaches this are noise, 0-1", ge=0, le=1
    )


class DiarizationSettings(Section):
    """Speech regions, speaker embeddings and their clustering. Values without a source are our own."""

    IN_ORDER = (("offset", "<=", "onset"),)

    voices: Literal["campplus", "ge2e"] = Field(
        description="how voices are told apart. campplus: local speakers of a segmentation network, until whose "
        "weights are there ge2e is used; ge2e: windows of one voice in Silero's regions"
    )
    unclear_probability: float = Field(
        description="a recording without speech turns whose highest probability of speech over half a second reaches "
        "this is `speech_unclear`, 0-1",
        ge=0,
        le=1,
    )
    backchannel_max_s: float = Field(
        description="a shorter turn inside a turn, or between two turns, of another speaker is a backchannel and no "
        "answer, s",
        ge=0,
    )
    onset: float = Field(description="speech begins at this probability, 0-1; Silero: 0.5", ge=0, le=1)
    offset: float = Field(description="speech ends below this probability, 0-1; Silero: onset - 0.15", ge=0, le=1)
    lead_s: float = Field(description="a region begins this much before the first speech step, s", ge=0)
    tail_s: float = Field(description="a region ends this much after the last speech step, s", ge=0)
    min_silence_s: float = Field(description="shorter gaps in speech are closed, s", ge=0)
    min_speech_s: float = Field(description="shorter regions are dropped, s", ge=0)
    window_s: float = Field(description="length of sound per embedding, s; GE2E was trained on 1.6", gt=0)
    hop_s: float = Field(description="distance between embeddings, s", gt=0)
    first_clusters: int = Field(description="clusters before merging: at most this many speakers are found", ge=1)
    max_windows: int = Field(description="most windows compared pairwise, a regular sample (quadratic cost)", ge=3)
    score_scale: float = Field(description="log-likelihood of a window per unit of cosine to a voice's centre", gt=0)
    change_price: float = Field(description="cost of a change of speaker inside speech, log-likelihood", ge=0)
    pause_scale_s: float = Field(description="a pause this long halves the cost of a change, s", gt=0)
    resegmentation_passes: int = Field(description="rounds of centres and Viterbi", ge=1)
    same_voice: float = Field(
        description="mean cosine of windows of one voice that share no sound (GE2E, 1.6 s)", ge=-1, le=1
    )
    prior_pairs: float = Field(description="weight of same_voice against a cluster's own pairs of windows", ge=0)
    repeat_cosine: float = Field(
        description="distant windows with a higher cosine than this are the same recording", ge=-1, le=1
    )
    separation: float = Field(
        description="two voices: cosine within minus between above this + the two terms below", ge=0
    )
    separation_visit: float = Field(description="divided by the number of times the rarer voice takes over", ge=0)
    separation_s: float = Field(description="divided by the length of the shorter cluster, s", ge=0)
    mixture_cosine: float = Field(
        description="a cluster this near to a mixture of two others may be both at once", ge=-1, le=1
    )
    mixture_share: float = Field(description="... if the weaker of the two has this share, 0-0.5", gt=0, lt=0.5)
    overlap_window_s: float = Field(description="length of sound per embedding in the search for overlaps, s", gt=0)
    overlap_share: float = Field(
        description="smallest share of the weaker voice in a window with two voices, 0-0.5", ge=0, le=0.5
    )
    overlap_smoothing_windows: Odd = Field(description="length of the share's running median, windows, odd", ge=1)
    overlap_trim_s: float = Field(
        description="cut from either end of a run of mixed windows: a window extends this far over a change, s", ge=0
    )
    overlap_min_s: float = Field(description="shortest overlap, s", ge=0)
    overlap_max_cosine: float = Field(
        description="overlaps of two voices with a higher cosine cannot be detected", ge=-1, le=1
    )
    max_pause_s: float = Field(description="shorter pauses of one speaker do not end the turn, s", ge=0)
    min_embedding_s: float = Field(description="shortest turn with its own embedding, s", ge=0)
    local_speakers: LocalSpeakerSettings


class TranscriptSettings(Section):
    """Speech recognition."""

    weights: Literal["whisper-base", "whisper-tiny-en", "whisper-large-v3"] = Field(
        description="registry name of the recogniser's weights"
    )
    beam_size: int = Field(description="hypotheses kept by the decoder; Whisper's own default: 5", ge=1)
    temperatures: tuple[NonNegativeFloat, ...] = Field(
        description="decoding temperatures tried in turn on a degenerate segment; Whisper: 0 to 1 by 0.2", min_length=1
    )
    max_chunk_s: float = Field(description="longest piece passed to the recogniser, s; its encoder takes 30", gt=0)
    max_gap_s: float = Field(description="silence that splits pieces, s; ours", ge=0)
    pad_s: float = Field(
        description="sound kept around a piece, s; ours, Silero's default is 0.4 in faster-whisper", ge=0
    )
    language_chunks: int = Field(description="number of longest pieces that vote on the file's language; ours", ge=1)
    max_word_distance_s: float = Field(
        description="a word this far from every turn is dropped, s; ours, Whisper's word times are off by about 0.2",
        ge=0,
    )
