"""From a folder of clips to training examples: tracked, labelled by the teacher, cached.

Belongs here: the order of this work and its cache. Does not belong here: each step (tracks.py, views.py).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from speakervid_dag.config.profiles import Profile
from speakervid_dag.failures import PermanentFailure
from speakervid_dag.models.light_asd import LightASD
from speakervid_dag.training import tracks, views
from speakervid_dag.training.clips import Clip
from speakervid_dag.training.views import Example

TEST_SIDES_PX = (60, 40)
_SMALLEST_PX, _SMALL_RANGE_PX = 34, 39
_MOST_LISTENERS = 4
_LAYOUT = "v2"  # changes with tracking or with what is kept


def small_side_px(clip: Clip) -> int:
    """Return the face size of a training clip's small copy, 34 to 72 px, always the same for a clip."""
    return _SMALLEST_PX + int(clip.sha256[:8], 16) % _SMALL_RANGE_PX


def tracked(
    clips: Sequence[Clip],
    held_out: set[str],
    profile: Profile,
    cache: Path,
    report: Callable[[str], None],
) -> dict[str, tracks.TrackedClip]:
    """Return the tracked faces of clips by file hash; clips without picture, sound or face are reported and left out.

    Args:
        held_out: people whose clips are also tracked at 60 and 40 px; the others' at one random small size.
        cache: folder of results; existing ones are read.
    """
    tracker: tracks.ClipTracker | None = None
    found = {}
    for number, clip in enumerate(clips, start=1):
        sides = TEST_SIDES_PX if clip.person in held_out else (small_side_px(clip),)
        path = cache / f"{clip.sha256[:16]}-{_LAYOUT}-{'-'.join(str(side) for side in sides)}.npz"
        if path.is_file():
            found[clip.sha256] = tracks.load(path)
            continue
        tracker = tracker or tracks.ClipTracker(profile.tracking, profile.identity)
        try:
            done = tracker.track(clip.path, sides)
        except PermanentFailure as problem:
            report(f"{clip.path.name} is left out: {problem}")
            continue
        tracks.save(done, path)
        found[clip.sha256] = done
        report(f"tracked {number} of {len(clips)}: {clip.path.name}")
    return found


def examples_of(
    clips: Sequence[Clip],
    faces: dict[str, tracks.TrackedClip],
    teacher: LightASD,
    seed: int,
    report: Callable[[str], None],
) -> tuple[list[Clip], list[Example]]:
    """Return the clips that can be learnt from, and their examples with views. Sounds come from the same clips."""
    used: list[Clip] = []
    examples: list[Example] = []
    for clip in clips:
        main = faces[clip.sha256].faces.get(0, []) if clip.sha256 in faces else []
        frames = views.frames_of(main[0]) if main else None
        if frames is None or not views.is_usable(frames):
            report(f"{clip.path.name} is left out: no face for a second")
            continue
        tracked_clip = faces[clip.sha256]
        copies, sides = [frames], [0]
        for side, others in sorted(tracked_clip.faces.items(), reverse=True):
            if side and others:
                copies.append(views.aligned(views.frames_of(others[0]), frames.first, len(frames.is_seen)))
                sides.append(side)
        speech = views.speech_of(tracked_clip.samples)
        examples.append(Example(clip.path.name, clip.person, copies, tracked_clip.samples, speech, sides=sides))
        used.append(clip)
    labeller = views.Labeller(teacher, [(e.samples, e.speech, e.person) for e in examples], seed)
    for number, (clip, example) in enumerate(zip(used, examples, strict=True)):
        talker, *others = faces[clip.sha256].faces[0]
        example.views = labeller.talker(number, views.teacher_faces(talker, example.copies[0]), example.copies[0])
        for other in others[:_MOST_LISTENERS]:
            frames = views.frames_of(other)
            if views.is_usable(frames):
                shown = views.teacher_faces(other, frames)
                example.listeners.append((frames, labeller.listener(number, shown, frames)))
        report(f"labelled {number + 1} of {len(examples)}: {example.name}")
    return used, examples
