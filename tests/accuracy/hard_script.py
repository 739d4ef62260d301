"""Scripts of made-up conversations: when who talks as in real ones, what each person shows and says then, the truth.

Belongs here: windows of labelled conversations, which frame of their material each person shows and which is heard,
cameras that follow a voice, the truth in the format of score.py. Does not belong here: media (hard_kit.py), sound
(hard_sound.py).

Everything is counted in frames of 25 Hz; a frame of sound is the 640 samples beside a picture.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from labelled import Spoken
from numpy.typing import NDArray

FPS = 25
WINDOW_S = (30.0, 34.0)
MIN_SPEAKER_S = 3.0  # each speaker of a window talks this long
MAX_SHARE = 0.75  # of all talk; more is a monologue
MIN_SPEECH_SHARE = 0.7
MAX_OVERLAP_SHARE = 0.2  # more is crosstalk, which even hand labels call unsure
BREATH_S = 0.6  # a shorter pause does not end a turn, as in the hand labels
MIN_TURN_FRAMES = 3
SEARCH_FRAMES = 8  # a stretch of material ends at the quietest frame this near to where the script wants it
PAUSE_EDGE = 5  # frames of a pause of the material that are kept on either side
STILL_PACE = 3  # a pause is shown at a third of its speed: back and forth at full speed, it looks like talk
SHORTEST_SHOT = 25
LATE_CUT = 5  # a director sees who talks, then cuts
REACTION_AFTER, REACTION = 60, 45  # a listener is shown this long after a cut, for so long
# what the product says of pairs: further apart or more together is no answer
PAIR_GAP_S, PAIR_OVERLAP_S = 3.0, 1.0
MIN_LISTENING_S = 0.5

Frames = NDArray[np.int64]
Flags = NDArray[np.bool_]
Truth = dict[str, Any]
Box = tuple[int, int, int, int]  # left, top, right, bottom, px


@dataclass(frozen=True)
class Window:
    """A stretch of a labelled conversation, its times counted from its own start."""

    origin: str
    duration_s: float
    lines: tuple[Spoken, ...]

    @property
    def speakers(self) -> list[str]:
        """Return who speaks, in the order of their first words."""
        return list(dict.fromkeys(line.who for line in self.lines))

    @property
    def frames(self) -> int:
        return int(self.duration_s * FPS)


def read_rttm(text: str) -> list[Spoken]:
    """Return the labelled speech of one conversation, by start."""
    fields = map(str.split, filter(str.strip, text.splitlines()))
    return sorted(Spoken(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in fields)


def draw_window(conversations: Mapping[str, Sequence[Spoken]], speakers: int, rng: np.random.Generator) -> Window:
    """Return a random window in which so many people talk with each other."""
    names = sorted(conversations)
    while True:
        name = names[rng.integers(len(names))]
        lines = conversations[name]
        start_s = lines[int(rng.integers(len(lines)))].start_s
        window = cut_window(name, lines, start_s, round(rng.uniform(*WINDOW_S), 2))
        if len(window.speakers) == speakers and is_dialogue(window):
            return window


def cut_window(origin: str, lines: Sequence[Spoken], start_s: float, duration_s: float) -> Window:
    """Return what is said in a window, out of lines by start; short pauses of one speaker are closed."""
    said: dict[str, list[Spoken]] = {}
    for line in lines:
        begin, end = max(line.start_s - start_s, 0.0), min(line.end_s - start_s, duration_s)
        if end <= begin:
            continue
        mine = said.setdefault(line.who, [])
        if mine and begin - mine[-1].end_s < BREATH_S:
            last = mine.pop()
            begin, end = last.start_s, max(last.end_s, end)
        mine.append(Spoken(begin, end, line.who))
    return Window(origin, duration_s, tuple(sorted(itertools.chain.from_iterable(said.values()))))


def is_dialogue(window: Window) -> bool:
    """Return whether all talk, nobody gives a speech, few talk at once, and turns change oftener than people are."""
    talk = np.zeros((len(window.speakers), window.frames), bool)
    for line in window.lines:
        talk[window.speakers.index(line.who), round(line.start_s * FPS) : round(line.end_s * FPS)] = True
    spent, at_once = talk.sum(1), talk.sum(0)
    changes = sum(a.who != b.who for a, b in itertools.pairwise(window.lines))
    return bool(
        spent.min() >= MIN_SPEAKER_S * FPS
        and spent.max() <= MAX_SHARE * spent.sum()
        and (at_once > 0).mean() >= MIN_SPEECH_SHARE
        and (at_once > 1).mean() <= MAX_OVERLAP_SHARE
        and changes > len(spent)
    )


@dataclass(frozen=True)
class Material:
    """What is known of a person's recording, by frame; pictures and sound lie elsewhere."""

    voiced: Flags
    level_db: NDArray[np.float64]
    still: tuple[int, int]  # first and last + 1 frame of a pause with quiet lips

    @property
    def tape(self) -> Frames:
        """Return the frames to talk through; long pauses are cut short, because the script says when one pauses."""
        kept = np.ones(len(self.voiced), bool)
        for start, end in runs(~self.voiced):
            kept[start + PAUSE_EDGE : max(end - PAUSE_EDGE, start + PAUSE_EDGE)] = False
        return np.flatnonzero(kept)


@dataclass(frozen=True)
class Part:
    """One person's part: which frame of their material is shown and which is heard (-1: silence)."""

    shown: Frames
    heard: Frames
    speaks: Flags
    moves_lips: bool  # while listening: talking material without its sound, else a pause


def perform(
    material: Material, lines: Sequence[Spoken], frames: int, rng: np.random.Generator, *, moves_lips: bool
) -> Part:
    """Let a person talk through their material, on and on, whenever a script says that they speak.

    A stretch goes on where the last one ended, and ends at a quiet frame near the wanted one, so that no word is cut in
    two if it can be helped; the truth is what is then heard, not what the script wanted.
    """
    tape = material.tape
    heard = np.full(frames, -1)
    head = _quietest(material.level_db[tape], int(rng.integers(len(tape))))
    spans = [(round(line.start_s * FPS), round(line.end_s * FPS)) for line in lines]
    for (start, end), (limit, _) in itertools.zip_longest(spans, spans[1:], fillvalue=(frames, frames)):
        played = np.roll(tape, -head)[np.arange(end + SEARCH_FRAMES - start) % len(tape)]
        length = end - start if end >= frames else _quietest(material.level_db[played], end - start)
        length = min(max(length, MIN_TURN_FRAMES), limit - start)
        heard[start : start + length] = played[:length]
        head = (head + length) % len(tape)
    idle = np.roll(tape, -head)[np.arange(frames) % len(tape)] if moves_lips else _back_and_forth(material, frames)
    is_voice = (heard >= 0) & material.voiced[heard]
    return Part(np.where(heard >= 0, heard, idle), heard, _turns_of(is_voice), moves_lips)


def _quietest(level_db: NDArray[np.float64], wanted: int) -> int:
    """Return the quietest frame near the wanted one."""
    low = max(wanted - SEARCH_FRAMES, 0)
    return low + int(level_db[low : wanted + SEARCH_FRAMES].argmin())


def _back_and_forth(material: Material, frames: int) -> Frames:
    there = np.arange(*material.still)
    loop = np.concatenate([there, there[-2:0:-1]])
    return loop[np.arange(frames) // STILL_PACE % len(loop)]


def _turns_of(is_voice: Flags) -> Flags:
    """Close short pauses, then drop what is shorter than a syllable."""
    speaks = is_voice.copy()
    for start, end in runs(~is_voice):
        if start > 0 and end < len(speaks) and end - start < BREATH_S * FPS:
            speaks[start:end] = True
    for start, end in runs(speaks):
        if end - start < MIN_TURN_FRAMES:
            speaks[start:end] = False
    return speaks


def runs(flags: Flags) -> list[tuple[int, int]]:
    """Return first and last + 1 of each run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


@dataclass(frozen=True)
class View:
    """A person seen at one place of the picture for a while."""

    person: str
    start: int
    end: int
    box: Box


@dataclass(frozen=True)
class Scene:
    """All of a video but its media: who shows and says what, and where they are seen."""

    name: str
    variant: str
    size: tuple[int, int]
    parts: Mapping[str, Part]
    views: Sequence[View]
    cuts: Sequence[int]  # frames at which the whole picture changes
    origin: str  # of the script

    @property
    def frames(self) -> int:
        return len(next(iter(self.parts.values())).shown)

    def seen(self, person: str) -> Flags:
        """Return in which frames a person is seen."""
        flags = np.zeros(self.frames, bool)
        for view in self.views:
            if view.person == person:
                flags[view.start : view.end] = True
        return flags


def follow_voice(parts: Mapping[str, Part], box: Box) -> list[View]:
    """Return shots of one person each: whoever began to talk last, and now and then a listener."""
    people = list(parts)
    begins = sorted((start, who) for who, part in parts.items() for start, _ in runs(part.speaks))
    frames = len(parts[people[0]].shown)
    cuts = [(0, begins[0][1])]
    for start, who in begins[1:]:
        at = start + LATE_CUT
        if who != cuts[-1][1] and at - cuts[-1][0] >= SHORTEST_SHOT and at <= frames - SHORTEST_SHOT:
            cuts.append((at, who))
    listeners = itertools.cycle(people)
    shots: list[View] = []
    for (start, who), (end, _) in itertools.pairwise([*cuts, (frames, "")]):
        reaction = start + REACTION_AFTER
        if reaction + REACTION + SHORTEST_SHOT <= end:
            other = next(person for person in listeners if person != who)
            spans = [(start, reaction, who), (reaction, reaction + REACTION, other), (reaction + REACTION, end, who)]
        else:
            spans = [(start, end, who)]
        shots += [View(person, a, b, box) for a, b, person in spans]
    return shots


# --------------------------------------------------------------------------- truth


def truth_of(scene: Scene) -> Truth:
    """Return the labels of a scene in the format that score.py reads."""
    turns = sorted(_turns(scene), key=lambda turn: (turn["start_s"], turn["end_s"]))
    pairs = [
        {"initiator": i, "responder": j, "gap_s": round(turns[j]["start_s"] - turns[i]["end_s"], 3)}
        for i, j in itertools.pairwise(_floor_turns(turns))
        if _is_pair(turns[i], turns[j])
    ]
    width, height = scene.size
    edges = [0, *scene.cuts, scene.frames]
    return {
        "name": scene.name,
        "kind": "hard",
        "variant": scene.variant,
        "file": f"{scene.name}.mp4",
        "fps": FPS,
        "width": width,
        "height": height,
        "duration_s": scene.frames / FPS,
        "shots": [_span(a, b) for a, b in itertools.pairwise(edges)],
        "turns": turns,
        "faces": [
            {**_span(v.start, v.end), "person": v.person, "box": _share(v.box, scene.size), "face_box": None}
            for v in scene.views
        ],
        "dialogue_pairs": pairs,
        "listening": list(_listening(scene)),
        "pane_jumps": _jumps(scene),
        "av_offset_frames": None,  # each person's recording keeps its own
        "expected_quality": {"verdict": "ok", "reason": "people talk"},
        "sources": [],
        "unsure": [],
        "script": scene.origin,
    }


def _turns(scene: Scene) -> Iterator[dict[str, Any]]:
    for person, part in scene.parts.items():
        seen = scene.seen(person)
        for start, end in runs(part.speaks):
            visible = [[(start + a) / FPS, (start + b) / FPS] for a, b in runs(seen[start:end])]
            yield {**_span(start, end), "speaker": person, "on_screen": bool(visible), "box": None, "visible": visible}


def _floor_turns(turns: Sequence[Truth]) -> list[int]:
    """Return the turns, by number, that are not inside another: a word in between neither answers nor is answered."""
    reached = itertools.accumulate((turn["end_s"] for turn in turns), max, initial=0.0)
    return [i for i, (turn, until) in enumerate(zip(turns, reached, strict=False)) if turn["end_s"] > until]


def _is_pair(first: Truth, second: Truth) -> bool:
    """Return whether one answers the other, and both are seen."""
    is_near = -PAIR_OVERLAP_S <= second["start_s"] - first["end_s"] <= PAIR_GAP_S
    return bool(first["speaker"] != second["speaker"] and first["on_screen"] and second["on_screen"] and is_near)


def _listening(scene: Scene) -> Iterator[dict[str, Any]]:
    """List where a person is seen and silent while just one other talks."""
    talkers = sum(part.speaks.astype(int) for part in scene.parts.values())
    for listener, speaker in itertools.permutations(scene.parts, 2):
        hears = scene.seen(listener) & scene.parts[speaker].speaks & (talkers == 1)
        together = scene.seen(speaker)
        for mode, flags in (("co_present", hears & together), ("non_co_present", hears & ~together)):
            for start, end in runs(flags):
                if end - start >= MIN_LISTENING_S * FPS:
                    lips = scene.parts[listener].moves_lips
                    who = {"listener": listener, "speaker": speaker, "mode": mode, "lips_moving": lips}
                    yield {**_span(start, end), **who}


def _jumps(scene: Scene) -> list[dict[str, Any]]:
    """List where a person's picture jumps: their turn begins or ends, or their material starts again."""
    return [
        {"time_s": int(at) / FPS, "person": view.person}
        for view in scene.views
        for at in np.flatnonzero(np.abs(np.diff(scene.parts[view.person].shown)) > 1) + 1
        if view.start < at < view.end
    ]


def _span(start: int, end: int) -> dict[str, float]:
    return {"start_s": start / FPS, "end_s": end / FPS}


def _share(box: Box, size: tuple[int, int]) -> list[float]:
    return [round(edge / size[i % 2], 4) for i, edge in enumerate(box)]
