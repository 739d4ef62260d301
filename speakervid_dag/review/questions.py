"""Wording of the review questions.

Belongs here: questions and what yes means. Does not belong here: which subjects are asked about (queue.py).

A question about a gate names the gate's score: all gates on one score, of any profile and threshold, are compared with
the same answers. Lip sync is a separate question, that of the score `sync_conf`.
"""

from dataclasses import dataclass

from speakervid_dag.lake.schemas import CLIP_SCORES

LIPS_MEASURE = "sync_conf"


@dataclass(frozen=True)
class Question:
    """A question. `kind`: what it is about (clip, pair, listening); `hint`: how to decide between yes and no."""

    kind: str
    text: str
    hint: str


QUESTIONS = {
    "binding": Question(
        "clip",
        "Is the outlined person the one who speaks?",
        "No: somebody else in the picture speaks, or a voice from outside it, for most of the clip.",
    ),
    "lips": Question("clip", "Do the lips match the voice?", "No: they are early, late, or move to other words."),
    "reply": Question(
        "pair",
        "Does the second clip reply to the first?",
        "Yes also to a short reaction. No: it goes on by itself, answers somebody else, or the scene has changed.",
    ),
    "listening": Question(
        "listening",
        "Is the outlined person listening, silent, to the one who speaks?",
        "No: it is this person's own voice, the lips talk, or the voice is not in this scene.",
    ),
    "quality": Question(
        "clip",
        "Is the quality good enough to learn a talking person from?",
        "Picture, sound and words together, of the outlined person.",
    ),
}

ASPECTS = {
    "asr_confidence": ("Is the speech clear enough to write it down?", "Compare the words that were recognised."),
    "bright_run_frames": (
        "Is the picture free of glare throughout?",
        "No: for half a second or more it is washed out.",
    ),
    "clarity": ("Is the picture free of the blocks and smears of compression?", "Look at edges and at what moves."),
    "clipping_share": ("Is the sound free of clipping?", "No: loud words crackle."),
    "compression_ratio": ("Do the recognised words say what is said, without repeating?", "Compare them by ear."),
    "dark_run_frames": ("Is the picture light enough throughout?", "No: for half a second or more it is nearly black."),
    "dnsmos_ovrl": ("Does the sound have the quality of a good recording?", "Noise, echo and distortion together."),
    "duration_s": ("Is the clip of a useful length?", "No: a fragment, or several things at once."),
    "face_blur": ("Is the face sharp?", "No: eyes and lips have no edges, by focus, motion or compression."),
    "face_height_px": ("Is the face large enough to read the lips?", "Judge the close-up."),
    "freeze_share": ("Does the picture move like video?", "No: it stands still or stutters."),
    "motion": ("Is there natural movement, neither frozen nor shaking?", "Judge the whole picture."),
    "no_speech_prob": ("Is there speech in it?", "No: music, noise, laughter or silence for most of the clip."),
    "snr_db": ("Is the voice well above the noise?", "No: background is in the way of understanding."),
}


def question_of(name: str, measure: str | None) -> Question:
    """Return the question, for one score or as a whole. A score without its own wording uses its description."""
    if measure is None:
        return QUESTIONS[name]
    if measure in ASPECTS:
        return Question("clip", *ASPECTS[measure])
    told = next((c.doc for c in CLIP_SCORES.columns if c.name == measure), measure.replace("_", " "))
    return Question("clip", "Is the clip good in this one respect?", f"The measure is: {told}.")


def asked_about(measure: str) -> tuple[str, str | None]:
    """Return (question, measure) by which a gate on this score is judged."""
    return ("lips", None) if measure == LIPS_MEASURE else ("quality", measure)
