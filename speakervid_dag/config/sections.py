"""The sections of a profile: one frozen model a stage, each field with its unit, meaning and source.

Belongs here: field names, types and descriptions. Does not belong here: values (they stand in profiles/*.yaml,
so that a threshold has one place) and code that uses them.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SampledPart = Literal["camera", "texture", "body", "hands", "emotion", "text"]


class Section(BaseModel):
    """Base of all sections: immutable, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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


class FaceHintSettings(Section):
    """What faces say about voices. Without a source, a value is our own."""

    piece_s: float = Field(description="speech is looked at in pieces of about this length, s", gt=0)
    min_talking: float = Field(description="a face with a lower talking score does not talk in a piece, 0-1")
    max_silent: float = Field(description="... nor does it alone while another one has a higher talking score, 0-1")
    min_talking_beside_hidden: float = Field(
        description="the first limit while the mouth of another face is hidden, 0-1"
    )
    owned_s: float = Field(description="a face owns a cluster of voice windows if it talks in it for so long, s")
    owned_share: float = Field(description="... and in this share of it, 0-1")
    sole_share: float = Field(description="... and has this share of the time that any one face talks in it, 0-1")
    same_face_factor: float = Field(description="separation asked of two clusters of one face, as a factor", ge=1)
    different_faces_factor: float = Field(
        description="separation asked of two clusters of two faces that are seen together, as a factor", gt=0, le=1
    )
    explained_share: float = Field(description="share of speech with a talking face from which faces count voices, 0-1")
    spare_voice_factor: float = Field(description="what is asked of more voices than that, as a factor", ge=1)


class DiarizationSettings(Section):
    """Speech regions, speaker embeddings and their clustering. Without a source, a value is our own."""

    onset: float = Field(description="speech begins at this probability, 0-1; Silero: 0.5")
    offset: float = Field(description="speech ends below this probability, 0-1; Silero: onset - 0.15")
    lead_s: float = Field(description="a region begins this much before the first speech step, s", ge=0)
    tail_s: float = Field(description="a region ends this much after the last speech step, s", ge=0)
    min_silence_s: float = Field(description="shorter holes in speech are closed, s", ge=0)
    min_speech_s: float = Field(description="shorter regions are dropped, s", ge=0)
    window_s: float = Field(description="sound under one embedding, s; GE2E was trained on 1.6", gt=0)
    hop_s: float = Field(description="distance of embeddings, s", gt=0)
    first_clusters: int = Field(description="clusters before merging: at most this many speakers are found", ge=1)
    max_windows: int = Field(description="windows compared with each other, a regular sample (cost: its square)", ge=3)
    score_scale: float = Field(description="log-likelihood of a window per unit of cosine to a voice's centre")
    change_price: float = Field(description="log-likelihood a change of speaker costs inside speech")
    pause_scale_s: float = Field(description="a pause this long halves the price of a change, s", gt=0)
    resegmentation_passes: int = Field(description="rounds of centres and Viterbi", ge=1)
    same_voice: float = Field(description="mean cosine of windows of one voice that share no sound (GE2E, 1.6 s)")
    prior_pairs: float = Field(description="weight of same_voice against a cluster's own pairs of windows", ge=0)
    repeat_cosine: float = Field(description="windows far apart and more alike than this are the same recording")
    separation: float = Field(description="two voices: cosine within minus between above this + the two terms below")
    separation_visit: float = Field(description="divided by how often the rarer voice takes over")
    separation_s: float = Field(description="divided by the seconds of the shorter cluster, s")
    mixture_cosine: float = Field(description="a cluster this near to a mixture of two others may be the two at once")
    mixture_share: float = Field(description="... when the weaker of the two has this share, 0-0.5", gt=0, lt=0.5)
    overlap_window_s: float = Field(description="sound under one embedding when overlaps are looked for, s", gt=0)
    overlap_share: float = Field(description="a window holds two voices from this share of the weaker one on, 0-0.5")
    overlap_smoothing_windows: int = Field(description="running median of the share over so many windows, odd", ge=1)
    overlap_trim_s: float = Field(
        description="a run of mixed windows loses this at either end: so far a window reaches over a change, s", ge=0
    )
    overlap_min_s: float = Field(description="shortest overlap, s", ge=0)
    overlap_max_cosine: float = Field(description="overlaps of two voices more alike than this cannot be told")
    max_pause_s: float = Field(description="shorter pauses of one speaker do not end the turn, s", ge=0)
    min_embedding_s: float = Field(description="shortest turn with an embedding of its own, s")
    faces: FaceHintSettings


class TranscriptSettings(Section):
    """Speech recognition."""

    weights: str = Field(description="registry name of the recogniser's weights")
    beam_size: int = Field(description="hypotheses kept by the decoder; Whisper's own default: 5", ge=1)
    temperatures: tuple[float, ...] = Field(
        description="decoding temperatures tried in turn on a degenerate segment; Whisper: 0 to 1 by 0.2"
    )
    max_chunk_s: float = Field(description="longest piece given to the recogniser, s; its encoder sees 30", gt=0)
    max_gap_s: float = Field(description="silence that splits pieces, s; ours", ge=0)
    pad_s: float = Field(description="sound kept around a piece, s; ours, Silero's default is 0.4 in faster-whisper")
    language_chunks: int = Field(description="longest pieces that vote on the file's language; ours", ge=1)
    max_word_distance_s: float = Field(
        description="a word this far from every turn, s, is left out; ours, Whisper's word times are off by about 0.2",
        ge=0,
    )


class TrackingSettings(Section):
    """Face detection, mesh and tracking inside a shot. Without a source, a value is our own, tried on real videos."""

    long_side_px: int = Field(description="frames are shrunk so that their long side is at most this, px", gt=0)
    detector_long_side_px: int = Field(description="long side of the detector's input, px", gt=0)
    detections_hz: float = Field(description="detector runs a second; also one at the start of each shot", gt=0)
    max_mesh_hz: float = Field(description="mesh runs a second and face at most; frames between are not tracked", gt=0)
    min_detection_score: float = Field(description="a found face counts from this score on, 0-1")
    min_face_height_px: float = Field(description="a found face counts from this height on, px of the shrunk frame")
    min_mesh_score: float = Field(description="a mesh places a face from this presence on, 0-1; MediaPipe: 0.5")
    min_iou: float = Field(description="overlap of a face with itself a frame or a detection later, at least")
    same_face_share: float = Field(description="two boxes are one face when this share of either lies in the other")
    max_undetected_s: float = Field(description="a track ends when the detector does not find its face for so long, s")
    max_unseen_s: float = Field(description="a track ends when neither mesh nor detector see it for so long, s")
    min_detections: int = Field(description="a track counts from this number of detections on", ge=1)
    min_track_s: float = Field(description="a track counts from this length on, s", ge=0)
    face_crops: bool = Field(
        description="keep pictures of every face (about 0.2 MB a second) for backends that look at them"
    )


class LivenessSettings(Section):
    """Which tracked faces are alive, and which are pictures of faces. Our own values, measured (docs/accuracy.md)."""

    looks_hz: float = Field(description="looks at a face a second", gt=0)
    lags_s: tuple[float, ...] = Field(
        description="each look is compared with those so long before, s; the largest difference counts", min_length=1
    )
    min_looks: int = Field(description="fewest comparisons for an answer; without one a face counts as alive", ge=1)
    min_face_height_px: float = Field(description="a smaller face is not asked, px of the shrunk frame", ge=0)
    quantile: float = Field(description="which of a track's comparisons counts, 0-1", ge=0, le=1)
    min_leftover: float = Field(
        description="a face is alive if an affine map leaves so much of a part of it, deviations; 0: all are",
        ge=0,
        le=1,
    )


class SamplingSettings(Section):
    """What the picture pass looks at besides faces, and how often. Our own values: cost against steadiness."""

    disabled: tuple[SampledPart, ...] = Field(description="parts that are not looked at; their scores say `off`")
    camera_hz: float = Field(description="camera movement and point tracks, frames a second; shake needs 10", gt=0)
    texture_hz: float = Field(description="blur, noise, blockiness, borders, frames a second", gt=0)
    full_hz: float = Field(description="looks at faces at full size where frames are shrunk, frames a second", ge=0)
    region_margin: float = Field(
        description="what stands for a person: the face, and so many face widths and heights on each side; as a "
        "clip's box",
        ge=0,
    )
    text_hz: float = Field(description="burnt-in text, frames a second", gt=0)
    text_long_side_px: int = Field(description="frames are shrunk to this for text, px", ge=64)
    min_text_score: float = Field(description="a pixel belongs to text from this belief on, 0-1; PP-OCR: 0.3")
    person_hz: float = Field(description="skeleton, hands, expression, frames a second and face", gt=0)
    min_presence: float = Field(description="a body or hand is there from this belief on, 0-1; MediaPipe: 0.5")
    min_visibility: float = Field(description="a body's point is seen from this belief on, 0-1; SpeakerVid-5M: 0.3")

    def is_off(self, part: str) -> bool:
        return part in self.disabled


class NearDuplicateSettings(Section):
    """When a source shows what an earlier one shows. Without a source, a value is our own, tried on real videos."""

    min_s: float = Field(description="shortest stretch, s", gt=0)
    max_distance_bits: int = Field(description="looks agree up to this Hamming distance of 64 bits", ge=0, le=64)
    max_hole_steps: int = Field(description="a stretch may hold so many looks on end that disagree", ge=0)
    min_agreement: float = Field(description="rank correlation of the activities, at least, -1 to 1", ge=-1, le=1)
    max_band_sources: int = Field(description="a band of a look that more sources share tells nothing", ge=1)
    max_candidates: int = Field(description="earlier sources that a source is laid over, at most", ge=1)


class BlockingSettings(Section):
    """Which faces of a large lake are compared at all; chosen by measuring recall and comparisons (face_blocks)."""

    exact_people: int = Field(description="up to so many people each is compared with every other", ge=0)
    bucket_people: float = Field(description="people in one bucket of a table, about", gt=0)
    tables: int = Field(description="tables of buckets: more find more of the alike, at more comparisons", ge=1)
    probes: int = Field(description="buckets of a table that are looked into", ge=1, le=22)


class IdentitySettings(Section):
    """Which face tracks and voices are one person. Without a source, a value is our own, tried on real videos."""

    max_portraits: int = Field(description="frames of a track that are embedded, at most", ge=1)
    portrait_spacing_s: float = Field(description="two portraits of a track are this far apart, s")
    min_portrait_mesh_score: float = Field(description="presence of the mesh in a portrait, at least, 0-1")
    min_portrait_height_px: float = Field(description="height of the face in a portrait, at least, px")
    good_portrait_height_px: float = Field(description="a face of this height is as good as a larger one, px")
    max_portrait_yaw_deg: float = Field(description="|yaw| of a portrait, at most, deg")
    max_portrait_pitch_deg: float = Field(description="|pitch| of a portrait, at most, deg")
    min_portrait_sharpness: float = Field(description="Laplacian variance of a portrait, at least; below it is a smear")
    good_portrait_sharpness: float = Field(description="Laplacian variance at which sharpness counts one half")
    min_person_cosine: dict[int, float] = Field(
        description="two faces of one video are one person from this cosine on; by length of the vector (model)"
    )
    min_identity_cosine: dict[int, float] = Field(
        description="the same across videos, where more people are compared and a mistake is more likely"
    )
    max_shared_s: float = Field(description="tracks of one shot seen together for longer are two people, s")
    max_continuation_gap_s: float = Field(
        description="a track without portrait continues one that ended so recently, s"
    )
    min_continuation_iou: float = Field(description="... and so near, IoU of last and first box")
    change_looks: int = Field(
        description="a track is somebody else's after so many looks on end, two portrait_spacing_s apart", ge=2
    )
    max_other_cosine: dict[int, float] = Field(
        description="... whose mean has less than this cosine to who it was; by length of the vector"
    )
    min_copy_s: float = Field(description="a copy of a face moves with it for so long, s", gt=0)
    min_copy_share: float = Field(description="... and in this share of its own time, 0-1", gt=0, le=1)
    min_copy_correlation: float = Field(
        description="... with this correlation of the mouths, and of mouth, yaw, pitch and roll on average", gt=0, lt=1
    )
    min_blurred_copy_correlation: float = Field(
        description="... of a face too blurred for an identity: of yaw, pitch and roll on average", gt=0, lt=1
    )
    blocking: BlockingSettings


class ActiveSpeakerSettings(Section):
    """What answers the two questions of active-speaker detection."""

    talking: Literal["lip_motion", "light_asd"] = Field(description="is this face talking?")
    synchrony: Literal["lip_ridge", "syncnet", "lake_model"] = Field(
        description="does this voice belong to these lips? lake_model: the one trained on this lake, where it is better"
    )

    @property
    def needs_face_crops(self) -> bool:
        return self.talking == "light_asd" or self.synchrony == "syncnet"


class SyncSettings(Section):
    """Lip-sync evidence of one track and one turn. Without a source, a value is our own default."""

    grid_hz: int = Field(description="common grid of lips and sound, Hz; SyncNet works at 25 frames per second")
    max_lag_frames: int = Field(description="lags searched on either side, frames of the grid; SyncNet's scripts: 15")
    min_overlap_s: float = Field(description="shortest common time of a scored track and turn, s; SpeakerVid-5M: 0.5")
    min_evidence_s: float = Field(description="shortest time of one person and one speaker that is regressed, s")
    context_s: float = Field(description="sound before and after a turn that counts as its silence, s")
    min_mesh_score: float = Field(description="a frame's lips are used from this mesh presence on, 0-1")
    max_abs_yaw_deg: float = Field(description="a frame's lips are used up to this head yaw, deg")
    min_seen_share: float = Field(description="share of the common time in which the lips are seen, 0-1")
    max_hole_s: float = Field(description="missing frames are interpolated up to this long, s")
    audio_bands: int = Field(description="mel-spaced band energies")
    audio_low_hz: float = Field(description="lowest band edge, Hz")
    audio_high_hz: float = Field(description="highest band edge, Hz")
    audio_range_db: float = Field(description="energies this far below the 99th percentile are silence, dB")
    slow_s: float = Field(description="drift slower than this is taken out of lips and sound, s (syllables: 2-8 Hz)")
    shape_axes: int = Field(description="principal axes of a person's lip shape that predict the sound")
    lip_noise: float = Field(description="jitter of a still mouth's points, inter-ocular distances")
    still_speed: float = Field(description="speed of a still mouth's points, inter-ocular distances per s")
    template_height: float = Field(description="louder by so many deviations for one deviation of mouth height")
    template_width: float = Field(description="the same for mouth width")
    template_speed: float = Field(description="the same for the log speed of the lips")
    ridge_s: float = Field(description="pull of the template, as so many seconds of material")
    fold_s: float = Field(description="length of a held-out stretch, s")
    max_folds: int = Field(description="most held-out parts; longer material has longer parts")
    prediction_floor: float = Field(description="a prediction with less deviation than this counts less (sound has 1)")
    own_weight: float = Field(description="weight of a turn's own curve against that of all turns of its speaker, 0-1")
    lag_tolerance_frames: int = Field(description="a pair's peak lies this close to the lag of the whole video, frames")
    distance_scale: float = Field(description="distance = scale * (1 - correlation); 10 gives Sync-C of SyncNet's size")


class BindingSettings(Section):
    """Whose face a speaker is. Without a source, a value is our own default."""

    foreign_deviation: float = Field(
        description="deviation of a foreign voice's synchrony over 1 s; times 1 / sqrt(length); a lake's calibration "
        "replaces it (`sync_calibration`)"
    )
    peak_frames: int = Field(description="lags this near the peak belong to it, frames")
    min_talking: float = Field(description="a face with a lower mean talking score does not speak, 0-1")
    min_evidence: float = Field(description="synchrony needed to bind, in deviations of a foreign voice")
    min_margin: float = Field(description="lead over the best other answer needed to bind, same unit")
    max_synchrony: float | None = Field(
        default=None, description="synchrony counts for a face at most this much, same unit; null: no limit"
    )
    uncalibrated_synchrony: float = Field(
        description="that limit where no calibration says what a foreign voice gives: it cannot bind alone, same unit"
    )
    talking_weight: float = Field(description="evidence of a full talking score against a still mouth, same unit")
    max_contrary: float = Field(description="synchrony counts against a face at most this much, same unit", ge=0)
    min_partner_evidence: float = Field(
        description="evidence needed by a free face that talks while the bound one beside it falls silent, same unit"
    )
    min_lead: float = Field(description="lead in talking score by which a face talks and another falls silent, 0-1")
    still_talking: float = Field(description="a mouth with a lower talking score is still, 0-1 (photograph, listener)")
    co_visible_weight: float = Field(description="evidence of one nat that cuts follow the voice, same unit", ge=0)
    min_coincidences: int = Field(description="fewest changes of voice that meet a cut to the other's face", ge=1)
    cut_tolerance_s: float = Field(description="a cut so far outside a pause between voices still meets it, s", ge=0)
    follow_share: float = Field(
        description="changes of voice that meet a cut if the picture follows, share", gt=0, lt=1
    )
    min_shown_share: float = Field(description="a shot shows who is seen in this share of it, 0-1", gt=0)


class ShippedMismatches(Section):
    """Scores of mismatches measured by us (docs/accuracy.md): the prior of every lake's calibration."""

    basis: str = Field(description="`sync_calibration.basis` of the scores: under other settings they say nothing")
    count: int = Field(description="how many of a lake's own they weigh", ge=0)
    mean: float = Field(description="their mean, a score of `sync_calibration`")
    deviation: float = Field(description="their standard deviation", gt=0)


class CalibrationSettings(Section):
    """What a foreign voice's synchrony looks like. Without a source, a value is our own default."""

    false_accept_rate: float = Field(description="share of mismatches above the threshold, 0-1", gt=0, lt=0.5)
    min_count: int = Field(
        description="fewest mismatches, shipped and of the lake, for a threshold; below, synchrony binds nobody alone",
        ge=3,
    )
    shipped: dict[str, ShippedMismatches] = Field(description="by backend the mismatches that every lake begins with")
    threshold_step: float = Field(
        description="a lake's own mismatches move the threshold by steps of this share of it", gt=0, lt=1
    )
    foreign_voices: int = Field(description="other people's voices tried under each speaker's turns", ge=0)
    max_voice_cosine: float = Field(
        description="a voice less alike than this is another person's (GE2E, mean of turns)"
    )
    min_shift_s: float = Field(description="the own speech is moved by at least this much, s", gt=0)
    shift_step_s: float = Field(description="distance of moves, s: the 31 lags searched are 1.24 s", gt=0)
    max_shifts: int = Field(description="moves of one speaker's speech, at most", ge=0)


class TrainingSettings(Section):
    """The synchrony model of the lake itself. Values without a source are our own, tried on real videos."""

    held_out_share: float = Field(description="share of the speech whose people it never sees, 0-1", gt=0, lt=1)
    min_people: int = Field(description="fewest people to train on", ge=2)
    min_windows: int = Field(description="fewest held-out windows of a length that is judged", ge=2)
    min_seen_share: float = Field(description="share of a turn in which the mouth is seen, 0-1")
    judged_windows_s: tuple[float, ...] = Field(description="lengths at which it is judged, s", min_length=1)
    window_cells: int = Field(description="length of a training window, cells of sync.grid_hz", gt=0)
    batch: int = Field(description="windows in a step", ge=2)
    steps: int = Field(description="steps of training", ge=1)
    learning_rate: float = Field(description="AdamW, falling to 0 by a cosine", gt=0)
    weight_decay: float = Field(description="AdamW", ge=0)
    dropout: float = Field(description="share of inputs and of hidden numbers that is dropped in training", ge=0, lt=1)
    noise: float = Field(description="deviation of noise on the lips in training (they have 1)", ge=0)
    temperature: float = Field(description="of the cosines in InfoNCE", gt=0)
    seed: int = Field(description="of weights and batches")


class ClipSettings(Section):
    """Cutting tracks and turns into clips."""

    min_s: float = Field(description="shortest clip, s; SpeakerVid-5M: 3")
    max_s: float = Field(description="longest clip, s; SpeakerVid-5M: 14")
    join_pause_s: float = Field(description="turns of a speaker this close with nobody between are one contribution, s")
    max_listener_talking: float = Field(
        description="who moves the lips from this talking score on in a turn of no face does not listen to it, 0-1",
        gt=0,
        le=1,
    )
    min_step_conf: float = Field(description="... nor in another face's turn, with this Sync-C or more; ours, Sync-C")
    pad_s: float = Field(description="a talking clip may reach this far outside its turns, inside its shot, s")
    box_margin: float = Field(description="added on each side of the union box, in face widths and heights")


class ScoreSettings(Section):
    """Parameters of measurements (not their thresholds: those are gates)."""

    dark_luma: float = Field(description="a frame with less mean BT.709 luma is dark, 0-255; SpeakerVid-5M: 10")
    bright_luma: float = Field(description="a frame with more is too bright, 0-255; SpeakerVid-5M: 210")
    run_grid_hz: float = Field(description="runs of frames are given at this rate, Hz; SpeakerVid-5M works at 25")
    freeze_motion: float = Field(
        description="a frame that differs by less repeats the one before, 0-255 luma at 160 px"
    )
    min_frames: int = Field(description="fewest frames, decoded or tracked, for a figure")
    sharpness_reference: float = Field(
        description="Laplacian variance of a 128x128 face crop that has face_blur 1: "
        "face_blur = ln(1 + variance) / ln(1 + reference)"
    )
    min_speech_s: float = Field(description="shortest own speech in a clip for DNSMOS and SNR, s")
    disabled: tuple[str, ...] = Field(description="scores that are not evaluated (columns of clip_scores)")
    languages: tuple[str, ...] = Field(description="ISO 639-1 codes that language_match expects; none = not evaluated")
    video_quality: Literal["off", "dover"] = Field(
        description="model of video_quality and dover_technical; without its weights the scores say `weights_missing`"
    )
    point_tracks: Literal["off", "cotracker"] = Field(
        description="model of cotracker_ratio; without its weights the score says `weights_missing`"
    )
    point_hz: float = Field(description="pictures a second in which points are tracked; TalkVid: 2", gt=0)
    point_window_s: float = Field(description="longest window that points are tracked through, s; TalkVid: 6", gt=0)
    point_trim_s: float = Field(description="left out at either end of the clip, s; TalkVid: 0.2", ge=0)
    point_grid: int = Field(
        description="points a side of the grid laid over a window's first picture; TalkVid: 50", ge=2
    )
    head_sample_hz: float = Field(description="frames a second of TalkVid's head scores; TalkVid does not say", gt=0)
    min_mesh_score: float = Field(description="a frame's head pose and points count from this mesh presence on, 0-1")
    min_visibility: float = Field(description="a body's point is seen from this belief on, 0-1; SpeakerVid-5M: 0.3")
    min_samples: int = Field(description="fewest looks at a person, a picture or a hand for a figure", ge=1)
    still_speed: float = Field(description="body speed of motion degree 1, face heights/s", gt=0)
    lively_speed: float = Field(description="body speed of motion degree 5, face heights/s", gt=0)
    shake_window_s: float = Field(description="the camera's path less its mean over this time is its shake, s", gt=0)
    shake_share: float = Field(description="shake from this deviation on, share of the picture's long side")
    zoom_per_s: float = Field(description="zoom from this change of scale on, natural log per s")
    pan_per_s: float = Field(description="pan from this speed on, long sides of the picture per s")


class BranchSettings(Section):
    """Dialogue, listening and multi-turn; the paper does not disclose these values, they are ours."""

    dialogue_max_gap_s: float = Field(description="longest silence between question and answer, s", ge=0)
    dialogue_max_overlap_s: float = Field(description="longest talking over each other at the change, s", ge=0)
    dialogue_backchannel_max_s: float = Field(description="a shorter turn between two of another is no answer, s", ge=0)
    dialogue_min_palette: float = Field(
        description="with more than two voices a pair has an answer each way, or both people in one shot, or shots of "
        "the two whose colours have this share in common, 0-1 (0: not asked, above 1: colours do not count)",
        ge=0,
    )
    listening_min_overlap_s: float = Field(description="shortest common time of listener's clip and turn, s", ge=0)
    listening_min_margin: float = Field(
        description="co-present: Sync-C of the speaker minus that of the listener is at least this, Sync-C"
    )
    listening_needs_margin: bool = Field(description="co-present: a margin that is not evaluated drops the sample")
    listening_max_sync_conf: float | None = Field(
        description="non-co-present: the listener's Sync-C is at most this (null: not asked), Sync-C"
    )
    listening_needs_words: bool = Field(description="non-co-present: the turn has recognised words")
    multi_turn_window_s: float = Field(description="T: how far back a contextual history reaches, s", gt=0)
    multi_turn_max_gap_s: float = Field(description="delta t: longer silence ends a sequential session, s", gt=0)


class Gate(Section):
    """One rule: a measurement against a threshold."""

    measure: str = Field(description="a measure: a score of clip_scores, or duration_s")
    keep: Literal[">", ">=", "<", "<=", "==", "between"] = Field(
        description="a clip passes when `value keep threshold` holds; between: threshold <= value <= upper_threshold"
    )
    threshold: float | None = Field(default=None, description="in `unit`; left out in a percentile gate")
    upper_threshold: float | None = Field(default=None, description="in `unit`; only with `keep: between`")
    percentile: float | None = Field(
        default=None, description="0-100: the threshold is this percentile of the measure over the lake", ge=0, le=100
    )
    unit: str = Field(description="unit of value and threshold: that of the measure; '1' for a ratio or an index")
    applies_to: Literal["all", "talking", "listening"] = Field(
        default="all", description="role of the clips that are asked: a listener's speech is not missing"
    )
    level: Literal["pretrain", "sft"] = Field(
        description="pretrain: failing rejects the clip; sft: failing bars it from sft"
    )
    mode: Literal["enforce", "score_only", "off"] = Field(
        default="enforce", description="score_only: recorded, decides nothing"
    )
    not_evaluated: Literal["fail", "pass", "hold"] = Field(
        description="what a missing value means: fail or pass the gate, or hold the clip out of sft only"
    )
    stands_for: str | None = Field(
        default=None, description="a paper's measure that cannot be had here, which this one stands for"
    )
    source: str = Field(description="where rule and threshold come from", min_length=1)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.threshold is None) == (self.percentile is None):
            raise ValueError("give either threshold or percentile")
        if (self.keep == "between") != (self.upper_threshold is not None):
            raise ValueError(
                "keep 'between' takes threshold and upper_threshold, any other keep has no upper_threshold"
            )
        if self.upper_threshold is not None and (self.threshold is None or self.upper_threshold < self.threshold):
            raise ValueError("between takes a threshold that is not above upper_threshold")
        return self

    @property
    def rule(self) -> str:
        """The rule as a person writes it, without its unit: `>= 0.1`, `in [0.85, 0.999]`, `>= 5th percentile`."""
        if self.keep == "between":
            return f"in [{self.threshold:g}, {self.upper_threshold:g}]"
        return (
            f"{self.keep} {self.threshold:g}"
            if self.percentile is None
            else f"{self.keep} percentile {self.percentile:g}"
        )
