"""Figures of who speaks when, without faces: error rates, speakers, overlap.

Belongs here: pure functions from recordings to figures. Does not belong here: labels and rows (labelled.py), faces
(face_scores.py), bars and tables (real_scores.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from labelled import ALL, Figures, Recording, less, named, ratio
from pyannote.core import Annotation, Timeline

COLLAR_S = 0.25
LEAST_SPEECH_S = 1.0  # a speaker who is counted has this much sure speech


@dataclass(frozen=True)
class SpeechErrors:
    """Seconds of wrong speech, overlap counted, and the labelled speaker seconds that they are a share of."""

    miss_s: float = 0.0
    false_alarm_s: float = 0.0
    confusion_s: float = 0.0
    labelled_s: float = 0.0

    def __add__(self, other: "SpeechErrors") -> "SpeechErrors":
        return SpeechErrors(
            self.miss_s + other.miss_s,
            self.false_alarm_s + other.false_alarm_s,
            self.confusion_s + other.confusion_s,
            self.labelled_s + other.labelled_s,
        )

    def rates(self) -> Figures:
        """Return the diarization error rate and its three parts; null where nothing is labelled."""
        parts = {"miss": self.miss_s, "false_alarm": self.false_alarm_s, "confusion": self.confusion_s}
        return {name: ratio(value, self.labelled_s) for name, value in {ALL: sum(parts.values()), **parts}.items()}


def speech_errors(recordings: Sequence[Recording], collar_s: float) -> dict[str, SpeechErrors]:
    """Measure each recording by pyannote.metrics, with the best mapping of speakers a file, and their sum as `all`.

    Args:
        recordings: what is labelled and found.
        collar_s: what is left out on either side of a labelled edge; 0 leaves out nothing.
    """
    from pyannote.metrics.diarization import DiarizationErrorRate

    metric = DiarizationErrorRate(collar=2 * collar_s)
    errors = {}
    for recording in recordings:
        found = metric.compute_components(recording.reference, recording.hypothesis, uem=recording.scored)
        parts = (found[name] for name in ("missed detection", "false alarm", "confusion", "total"))
        errors[recording.name] = SpeechErrors(*map(float, parts))
    return {ALL: sum(errors.values(), SpeechErrors()), **errors}


def jaccard_errors(recordings: Sequence[Recording]) -> Figures:
    """Measure the Jaccard error rate of each recording; `all` is the mean over all labelled speakers."""
    from pyannote.metrics.diarization import JaccardErrorRate

    metric = JaccardErrorRate()  # type: ignore[no-untyped-call]
    rates: Figures = {}
    error = count = 0.0
    for recording in recordings:
        found = metric.compute_components(recording.reference, recording.hypothesis, uem=recording.scored)
        rates[recording.name] = ratio(found["speaker error"], found["speaker count"])
        error, count = error + found["speaker error"], count + found["speaker count"]
    return {ALL: ratio(error, count), **rates}


def speaker_counts(recordings: Sequence[Recording]) -> dict[str, tuple[int, int]]:
    """Count the speakers with a second of sure speech or more: (labelled, found) of each recording."""
    return {r.name: (_speakers(r.sure_reference), _speakers(r.sure_hypothesis)) for r in recordings}


def _speakers(annotation: Annotation) -> int:
    return sum(annotation.label_duration(who) >= LEAST_SPEECH_S - 1e-9 for who in annotation.labels())


def overlap_scores(recordings: Sequence[Recording]) -> Figures:
    """Measure by time how much of labelled overlap is found, and how much of found overlap is labelled."""
    hit = found = labelled = 0.0
    for recording in recordings:
        true, told = recording.sure_reference.get_overlap(), recording.sure_hypothesis.get_overlap()
        hit += _shared_s(told, true)
        found, labelled = found + told.duration(), labelled + true.duration()
    return {"precision": ratio(hit, found), "recall": ratio(hit, labelled), "found_s": found, "labelled_s": labelled}


def overlap_in_single_speech(recordings: Sequence[Recording]) -> Figures:
    """Measure the overlap found where the labels are sure of one voice: seconds, share of that speech and of overlap.

    Overlap that lies where the labels are unsure is not wrong: `found_s` counts it, `in_single_s` does not.
    """
    inside = found = single = 0.0
    for recording in recordings:
        reference = recording.sure_reference
        alone = less(reference.get_timeline().support(), reference.get_overlap())
        told = recording.hypothesis.get_overlap()
        inside += _shared_s(told, alone)
        found, single = found + told.duration(), single + alone.duration()
    return {
        "found_s": found,
        "in_single_s": inside,
        "share_of_found": ratio(inside, found),
        "share_of_single": ratio(inside, single),
    }


def _shared_s(one: Timeline, other: Timeline) -> float:
    return float(one.crop(other, mode="intersection").support().duration())


def speech_figures(prefix: str, recordings: Sequence[Recording]) -> Figures:
    """Return the figures of speech alone over all recordings, their names after a prefix."""
    counts = speaker_counts(recordings).values()
    return {
        **named(f"{prefix}.der", speech_errors(recordings, 0)[ALL].rates()),
        **named(f"{prefix}.der_collar", speech_errors(recordings, COLLAR_S)[ALL].rates()),
        f"{prefix}.jer": jaccard_errors(recordings)[ALL],
        f"{prefix}.speakers.count_right": sum(true == found for true, found in counts),
        f"{prefix}.speakers.files": len(counts),
        f"{prefix}.speakers.mean_abs_error": ratio(sum(abs(true - found) for true, found in counts), len(counts)),
    }


def overlap_figures(videos: Sequence[Recording], meetings: Sequence[Recording]) -> Figures:
    """Return how overlap is found: where it is labelled (meetings), and where it is not (videos)."""
    return {
        **named("videos.overlap", overlap_in_single_speech(videos)),
        **named("ami.overlap", overlap_scores(meetings)),
    }
