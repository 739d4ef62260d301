"""Section of the joint inference of voices and faces."""

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from speakervid_dag.config.sections.base import Cosine, Odd, Section, Share


def _rising(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if any(b[0] <= a[0] or b[1] < a[1] for a, b in pairwise(points)):
        raise ValueError("must rise from point to point")
    return points


class VoiceLikenessSettings(Section):
    """What a cosine of one network's voice embeddings says. Values without a source are our own."""

    scale: float = Field(description="fit per unit of cosine to a person's voice", ge=0)
    neutral_cosine: Cosine = Field(description="cosine that speaks neither for nor against a person")
    max_contrary: float = Field(description="most that a lower cosine counts", ge=0)
    max_support: float = Field(description="most that a higher cosine counts", ge=0)
    join_distance: float = Field(
        description="voices without a face nearer than this are one: average cosine distance", gt=0, le=2
    )
    same_voice_cosine: Cosine = Field(description="a voice this near to a face's is no voice of its own")
    join_cosine: Cosine = Field(description="faces never seen together with voices this near are one speaker")


class JointSettings(Section):
    """Audio-visual diarization: a hidden Markov model over sets of speakers, 25 frames a second.

    Values without a source are our own; scores and prices are log-likelihoods of one frame.
    """

    rounds: int = Field(description="rounds of states and voices; the first knows no voices", ge=1)
    least_share: float = Field(description="the least probability of nobody, one or two speakers, 0-1", gt=0, lt=1)
    face_weight: float = Field(description="weight of a face's score: frames are no independent witnesses", ge=0)
    talking_weight: float = Field(description="score of a face per unit of talking log odds", ge=0)
    lead_weight: float = Field(description="... per unit of its lead over the busiest other face in view", ge=0)
    alone_score: float = Field(description="... if no other face is in view")
    face_score: float = Field(description="... in any case")
    sync_weight: float = Field(
        description="talking log odds per unit of the margin of synchrony, where the sound's offset is known", ge=0
    )
    sync_frames: Odd = Field(description="length of the mean margin for that, frames, odd", ge=1)
    neutral_margin: float = Field(description="margin that speaks neither for nor against a face", ge=-2, le=2)
    max_face_score: float = Field(description="scores are cut to plus or minus this", gt=0)
    hidden_price: float = Field(description="price of a person with a face who is not in view", ge=0)
    unknown_voice_price: float = Field(description="price of an unknown voice while a face is in view", ge=0)
    known_voice_price: float = Field(description="the same for a known voice without a face", ge=0)
    pair_price: float = Field(description="price of two at once", ge=0)
    max_all_pairs: int = Field(
        description="most people of whom any two may talk at once; else faces seen together", ge=2
    )
    voice_weight: float = Field(description="weight of a voice's fit, half in pairs", ge=0)
    voices: dict[int, VoiceLikenessSettings] = Field(description="likeness of voices, by length of the vector")
    begin: float = Field(description="price of one more speaker from frame to frame", gt=0)
    end: float = Field(description="price of one speaker less", gt=0)
    swap: float = Field(description="price of another speaker in the place of one", gt=0)
    min_voice_s: float = Field(description="a voice is known from this much speech alone, s", ge=0)
    unseen_share: float = Field(
        description="share of a local speaker that no face holds, for a voice without a face, 0-1", ge=0, le=1
    )
    min_unseen_s: float = Field(description="shortest speech of a voice without a face, s", ge=0)
    max_unseen: int = Field(description="most voices without a face", ge=0)
    max_pause_s: float = Field(description="shorter pauses in which nobody else talks do not end a turn, s", ge=0)
    min_turn_s: float = Field(description="shorter turns are dropped, s", ge=0)
    sliver_s: float = Field(description="shorter stretches of a turn join their neighbour, s", ge=0)
    block_s: float = Field(description="longest part of a video that is inferred at once, cut at pauses, s", ge=10)
    max_absent: int = Field(description="most people who may talk in a part without being in view there", ge=0)
    still_frames: Odd = Field(description="length of the mean in which a mouth is found still, frames, odd", ge=1)
    still_log_odds: float = Field(description="talking log odds below which it is still, and its stretch is cut out")
    contradiction_lead: float = Field(description="lead in talking log odds by which another face contradicts", ge=0)
    contradiction_frames: Odd = Field(description="length of the mean for that, frames, odd", ge=1)
    min_own_margin: float = Field(
        description="lips that agree with their own voice by this margin are known", ge=0, le=2
    )
    foreign_share: Share = Field(
        description="... and move under another's voice where they agree by less than this share of it, 0-1"
    )
    foreign_margin: float = Field(
        description="while somebody's are known, a speaker's lips of a lower mean margin move under another's voice",
        ge=-2,
        le=2,
    )
    min_foreign_s: float = Field(
        description="... for this long; such a mouth counts as still, and the inference is made again, s", gt=0
    )
    probability_map: Annotated[tuple[tuple[Share, Share], ...], AfterValidator(_rising)] = Field(
        description="points [posterior, how often it is right], linear between them: the posterior is too sure",
        min_length=2,
    )
