"""The demo's videos: who says what, and who is shown when.

Belongs here: the choice of excerpts, order, shots. Does not belong here: the truth computed from it (plan.py), drawing
(compose.py). Spans of the voices come from speech recognition and voice activity detection on these very files.
"""

from dataclasses import dataclass

import numpy as np

from speakervid_dag.demo.acting import FPS, HOP
from speakervid_dag.demo.materials import (
    BACKDROP,
    CALL,
    CALL_TURNS,
    DIALOGUE,
    PORTRAITS,
    RATE_HZ,
    READER,
    Find,
    Samples,
    excerpt,
    levelled,
    load_voice,
)
from speakervid_dag.demo.plan import Pane, ScriptShot, ScriptTurn, Span, VideoPlan

WIDE, FOUR_BY_THREE = (960, 540), (720, 540)
CALL_FROM_S = 5.6  # the call's file begins with silence
LEAD_S, GAP_S = 0.4, 0.52
REACTION_S, BEFORE_REACTION_S = 3.52, 4.4  # each is long enough for a separate clip (3 s)

# From two_cities.wav (read by one man) and endgame_nagg_nell.wav (the woman's lines only).
MAN_LINES: tuple[tuple[Span, ...], ...] = (((1.1, 10.45),), ((17.46, 26.2),))
WOMAN_LINES: tuple[tuple[Span, ...], ...] = (((8.63, 11.52), (22.45, 23.25)), ((14.58, 17.12), (19.35, 19.9)))
BLURRED_LINE, NARRATOR_LINE = (10.68, 17.3), (30.0, 35.0)
BLUR_PX = 6.0  # too soft for sft, but lips can still be read: at 10 nobody can be bound


@dataclass(frozen=True)
class Line:
    """A turn of the edited conversation before it is timed; `reaction`: the listener is shown during it."""

    person: str
    sound: Samples
    reaction: bool


def plans(find: Find) -> list[VideoPlan]:
    """Return all videos of the demo, in order. `find(registry name, file name)` returns the materials' paths."""
    return [split_screen(find), cuts(find), blurred(find), narrator(find)]


def split_screen(find: Find) -> VideoPlan:
    """Plan a real telephone call: both speakers always visible, left and right."""
    call = levelled(load_voice(find(*CALL)))
    people = ("astronaut", "actress")
    turns = call_turns(find(*CALL_TURNS).read_text(), people)
    frames = int((len(call) / RATE_HZ - CALL_FROM_S) * FPS)
    sound = call[round(CALL_FROM_S * RATE_HZ) :][: frames * HOP]
    shown = tuple(Pane(p, (i * 480, 0, 480, 540)) for i, p in enumerate(people))
    return VideoPlan(
        "demo_split_screen", "split", "split_easy", WIDE, (ScriptShot(0, frames, shown),), turns, sound,
        {p: only(sound, turns, p) for p in people}, (CALL[1], *pictures(people)),
    )  # fmt: skip


def call_turns(rttm: str, people: tuple[str, str]) -> tuple[ScriptTurn, ...]:
    """Return reference turns of an RTTM text: `SPEAKER file 1 start duration <NA> <NA> name …`."""
    rows = [line.split() for line in rttm.splitlines() if line.startswith("SPEAKER")]
    # The first to speak becomes the first of `people`.
    names = dict(zip(dict.fromkeys(row[7] for row in rows), people, strict=True))
    starts = [round(float(row[3]) - CALL_FROM_S, 3) for row in rows]
    return tuple(
        ScriptTurn(names[row[7]], start, round(start + float(row[4]), 3))
        for row, start in zip(rows, starts, strict=True)
    )


def only(sound: Samples, turns: tuple[ScriptTurn, ...], person: str) -> Samples:
    """Return the sound during one person's turns, silence elsewhere."""
    mask = np.zeros(len(sound), np.float32)
    for turn in turns:
        if turn.person == person:
            mask[round(turn.start_s * RATE_HZ) : round(turn.end_s * RATE_HZ)] = 1
    return np.asarray(sound * mask, np.float32)


def cuts(find: Find) -> VideoPlan:
    """Plan shot and reverse shot: the speaker full frame, the silent listener shown during long turns."""
    reader, dialogue = load_voice(find(*READER)), load_voice(find(*DIALOGUE))
    lines = [
        line
        for man, woman in zip(MAN_LINES, WOMAN_LINES, strict=True)
        for line in (Line("man", excerpt(reader, man), True), Line("admiral", excerpt(dialogue, woman), False))
    ]
    turns, shots = place(lines, FOUR_BY_THREE)
    sound, voices = mix(lines, turns, shots[-1].end)
    people = ("man", "admiral")
    return VideoPlan(
        "demo_reverse_shots", "cuts", "cuts", FOUR_BY_THREE, shots, turns, sound, voices,
        (READER[1], DIALOGUE[1], *pictures(people)),
    )  # fmt: skip


def place(lines: list[Line], size: tuple[int, int]) -> tuple[tuple[ScriptTurn, ...], tuple[ScriptShot, ...]]:
    """Return consecutive turns, aligned to frames, and shots: cuts lie mid-gap and around each reaction."""
    turns: list[ScriptTurn] = []
    edges: list[tuple[int, str]] = []  # first frame of a shot, who is shown
    at = round(LEAD_S * FPS)
    for line in lines:
        length = -(-len(line.sound) // HOP)
        edges.append((max(0, at - round(GAP_S / 2 * FPS)) if turns else 0, line.person))
        turns.append(ScriptTurn(line.person, at / FPS, (at + length) / FPS))
        if line.reaction:
            listener = next(other.person for other in lines if other.person != line.person)
            start = at + round(BEFORE_REACTION_S * FPS)
            edges += [(start, listener), (start + round(REACTION_S * FPS), line.person)]
        at += length + round(GAP_S * FPS)
    ends = [edge[0] for edge in edges[1:]] + [at]
    return tuple(turns), tuple(
        ScriptShot(a, b, (Pane(person, (0, 0, *size)),)) for (a, person), b in zip(edges, ends, strict=True)
    )


def mix(lines: list[Line], turns: tuple[ScriptTurn, ...], frames: int) -> tuple[Samples, dict[str, Samples]]:
    voices = {line.person: np.zeros(frames * HOP, np.float32) for line in lines}
    for line, turn in zip(lines, turns, strict=True):
        first = round(turn.start_s * RATE_HZ)
        voices[line.person][first : first + len(line.sound)] += line.sound
    return np.asarray(sum(voices.values()), np.float32), voices


def blurred(find: Find) -> VideoPlan:
    """Plan one speaker slightly out of focus: good enough for pre-training, not for fine-tuning."""
    line = Line("man", excerpt(load_voice(find(*READER)), (BLURRED_LINE,)), False)
    turns, shots = place([line], WIDE)
    sound, voices = mix([line], turns, shots[-1].end)
    return VideoPlan(
        "demo_blurred", "degraded", "blur", WIDE, shots, turns, sound, voices, (READER[1], *pictures(("man",))),
        blur_px=BLUR_PX, verdict=("ok", "blur"),
    )  # fmt: skip


def narrator(find: Find) -> VideoPlan:
    """Plan a voice over a picture without people: nothing may be bound as talking."""
    voice = excerpt(load_voice(find(*READER)), (NARRATOR_LINE,))
    frames = len(voice) // HOP
    turns = (ScriptTurn("narrator", 0.0, frames / FPS),)
    return VideoPlan(
        "demo_voice_over", "voiceover", "no_face", WIDE, (ScriptShot(0, frames, ()),), turns, voice[: frames * HOP], {},
        (READER[1], BACKDROP[1]), verdict=("no_talking", "no face"),
    )  # fmt: skip


def pictures(people: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(PORTRAITS[p].entry[1] for p in people)
