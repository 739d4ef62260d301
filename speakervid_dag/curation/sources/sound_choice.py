"""Choice of a file's sound tracks and channels: those with speech.

Belongs here: the decision, from levels and speech per channel, and its wording. Does not belong here: decoding and
levels (media/), the speech detector (models/vad), reading the chosen sound (stages/sound).

If the channels of a track add up, its standard downmix is used without further tests. If they cancel, one of them is
used. If they differ, a speech detector decides; so it does between several tracks. Speech that *alternates* with what
is already taken (two microphones, one voice per channel) is mixed with it. Speech *at the same time* (an interpreter, a
dub) is left out: two voices at once match no lips, and players also play only the first.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import SoundSettings
from speakervid_dag.media.audio import Taken, TrackLevels
from speakervid_dag.media.decoder.sound_levels import FLOOR_DB, STEP_S
from speakervid_dag.media.probe import SoundTrack
from speakervid_dag.media.sound_streams import DOWNMIX

# Outcome of a channel or a whole track; for a track also the reason of a failure (unsupported_codec …).
TAKEN, SILENT, FAINT, INVERTED, NO_SPEECH = "taken", "silent", "faint", "inverted", "no_speech"
SAME_SPEECH, OTHER_SPEECH = "same_speech", "other_speech"  # same as what was taken; simultaneous with it
OTHER_LANGUAGE, EXTRA, NOT_HEARD = "other_language", "extra", "not_heard"  # by its tags; beyond the budget
MAX_ASKED = 8  # channels per track that the speech detector gets, loudest first; bounds the cost of 64 channels
LOUD, SPEAKING = 95, 90  # percentiles used as the loudness of a channel, and of its speech
SMOOTHED_STEPS = 15  # half a second: levels of two voices are compared per word, not per sound

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Asked = Callable[[Sequence[Taken]], Flags]


@dataclass(frozen=True)
class HeardTrack:
    """A track that was decoded (`levels`), or why it was not (`reason`)."""

    track: SoundTrack
    levels: TrackLevels | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Choice:
    """The chosen channels (`taken`; empty if none is usable), and rows of `videos.sound_tracks` for all tracks."""

    tracks: list[dict[str, Any]]
    taken: list[Taken]


@dataclass
class _Source:
    """The candidate mix of a track: its channels with weights, and its level in each step."""

    heard: HeardTrack
    taken: list[Taken]
    levels: Floats
    words: list[str]  # of the track's channels
    speech: Flags | None = None


@dataclass
class _Voice:
    """Levels relative to the source's own speech, smoothed; -inf where it does not speak."""

    levels: Floats
    relative_db: Floats = field(repr=False)


def choose(heard: Sequence[HeardTrack], asked: Asked, settings: SoundSettings) -> Choice:
    """Choose the tracks and channels of a file.

    Args:
        heard: the file's tracks, starting with the one that players play.
        asked: returns in which steps of 32 ms a mono mix holds speech, (steps,) from the container's start.
    """
    words = {h.track.track: h.reason or SILENT for h in heard}
    sources = [source for h in _ordered(heard, settings) if (source := _of_track(h, asked, settings))]
    chosen = sources[:1]
    if len(sources) > 1:
        chosen = _of_tracks(sources, asked, settings, words) or chosen
    taken = [t._replace(weight=t.weight / len(chosen)) for source in chosen for t in source.taken]
    words |= {source.heard.track.track: TAKEN for source in chosen}
    by_track = {source.heard.track.track: source for source in sources}
    return Choice([_row(h, words[h.track.track], by_track.get(h.track.track)) for h in heard], taken)


def _ordered(heard: Sequence[HeardTrack], settings: SoundSettings) -> list[HeardTrack]:
    """Return tracks of preferred languages first, those for a special use last."""
    last = len(settings.language)

    def place(h: HeardTrack) -> tuple[int, bool]:
        language = (h.track.language or "").lower()
        return next(
            (i for i, wanted in enumerate(settings.language) if wanted.lower() == language), last
        ), h.track.is_extra

    return sorted(heard, key=place)


# -- one track --------------------------------------------------------------------------------------------------------


def _of_track(heard: HeardTrack, asked: Asked, settings: SoundSettings) -> _Source | None:
    """Return the candidate mix of one track; None if it is silent or was not decoded."""
    levels, track = heard.levels, heard.track.track
    if levels is None:
        return None
    count = len(levels.channels)
    live = [c for c in range(count) if levels.channels[c].max(initial=FLOOR_DB) > settings.silent_dbfs]
    if not live:
        return None
    words = [TAKEN if c in live else SILENT for c in range(count)]
    best = max(live, key=lambda c: (_loud(levels.channels[c]), -c))
    faint_dbfs, gain_db = _loud(levels.channels[best]) - settings.faint_db, _gain_db(levels)
    near = [c for c in live if c == best or _smooth(levels.channels[c]).max() >= faint_dbfs]
    if near == [best]:
        return _only(heard, best, words, FAINT)
    if gain_db <= -settings.cancelled_db:
        return _only(heard, best, words, INVERTED)
    mixed = _Source(heard, _downmix(levels, track, live), levels.mix, words)
    adds_up = gain_db >= settings.in_phase_db and _is_one_sound(levels, near, settings)
    return mixed if adds_up else _of_channels(mixed, live, asked, settings)


def _of_channels(mixed: _Source, live: Sequence[int], asked: Asked, settings: SoundSettings) -> _Source:
    """Return the candidate mix of channels with different sounds; the mix of all if none has speech."""
    heard, levels = mixed.heard, mixed.heard.levels
    assert levels is not None
    loudest = sorted(live, key=lambda c: -_loud(levels.channels[c]))[:MAX_ASKED]
    words = [NOT_HEARD if c in live and c not in loudest else word for c, word in enumerate(mixed.words)]
    sources = [_Source(heard, [Taken(heard.track.track, c, 1.0)], levels.channels[c], words) for c in sorted(loudest)]
    chosen = _composed(sources, asked, settings)
    used = [s for s, word in zip(sources, chosen, strict=True) if word == TAKEN]
    if not used:
        mixed.speech = np.zeros(len(mixed.levels), bool)
        return mixed
    for source, word in zip(sources, chosen, strict=True):
        words[source.taken[0].channel] = word
    if len(used) == 1 and all(words[c] in (TAKEN, SAME_SPEECH) for c in live) and _is_designed(levels):
        mixed.speech = asked(mixed.taken)
        if _holds_speech_of(used[0], mixed, settings):
            return mixed
    share = 1 / len(used)
    total = np.logaddexp.reduce([s.levels * (np.log(10) / 10) for s in used], axis=0) * (10 / np.log(10))
    taken = [t._replace(weight=share) for s in used for t in s.taken]
    speech = np.any([_fitted(s.speech, len(total)) for s in used], axis=0)
    return _Source(heard, taken, total.astype(np.float32), words, speech)


def _only(heard: HeardTrack, best: int, words: Sequence[str], others: str) -> _Source:
    """Return one channel alone; the other live channels get the word `others`."""
    assert heard.levels is not None
    told = [word if c == best or word == SILENT else others for c, word in enumerate(words)]
    return _Source(heard, [Taken(heard.track.track, best, 1.0)], heard.levels.channels[best], told)


def _downmix(levels: TrackLevels, track: int, live: Sequence[int]) -> list[Taken]:
    """Return the standard weights of the live channels; their squares add up to 1, .707 each for stereo."""
    weights = {c: levels.downmix[c] for c in live if levels.downmix[c] > 0} or dict.fromkeys(live, 1.0)
    total = math.hypot(*weights.values())
    return [Taken(track, c, weight / total) for c, weight in weights.items()]


def _gain_db(levels: TrackLevels) -> float:
    """Return the downmix's median level above the sum of its channels' powers, in loud steps, dB.

    3 for two equal channels, 0 for different sounds, far below for channels that cancel.
    """
    weights = np.array(levels.downmix)[:, None]
    power = np.square(weights) * 10 ** (levels.channels.astype(np.float64) / 10)
    total_db = 10 * np.log10(np.maximum(power.sum(axis=0), 10 ** (FLOOR_DB / 10)))
    is_loud = total_db >= np.percentile(total_db, LOUD) - 20
    return float(np.median((levels.mix - total_db)[is_loud]))


def _is_one_sound(levels: TrackLevels, channels: Sequence[int], settings: SoundSettings) -> bool:
    """Return True if all channels rise and fall with their mix, so that it loses no channel's voice."""
    is_loud = levels.mix >= np.percentile(levels.mix, LOUD) - 20
    mix = levels.mix[is_loud]
    return all(_correlation(levels.channels[c][is_loud], mix) >= settings.in_phase_likeness for c in channels)


def _is_designed(levels: TrackLevels) -> bool:
    """Return True if the channels form one sound stage (stereo, 5.1 …), not separate microphones."""
    return len(levels.names) <= 2 or all(name in DOWNMIX for name in levels.names)


def _holds_speech_of(one: _Source, mixed: _Source, settings: SoundSettings) -> bool:
    """Return True if the mix has about as much speech as one of its channels, and about as loud."""
    assert one.speech is not None
    assert mixed.speech is not None
    steps = min(len(one.speech), len(one.levels), len(mixed.levels))
    speech = one.speech[:steps]
    lost_db = np.percentile(one.levels[:steps][speech], SPEAKING) - np.percentile(
        mixed.levels[:steps][speech], SPEAKING
    )
    is_as_long = mixed.speech.sum() >= settings.mix_speech_share * one.speech.sum()
    return bool(is_as_long and lost_db <= settings.max_mix_loss_db)


# -- several sources ---------------------------------------------------------------------------------------------------


def _of_tracks(
    sources: Sequence[_Source], asked: Asked, settings: SoundSettings, words: dict[int, str]
) -> list[_Source]:
    """Return the tracks to use, empty if none has speech, and record each one's outcome in `words`."""
    chosen = []
    found = _composed(sources, asked, settings)
    for source, word in zip(sources, found, strict=True):
        words[source.heard.track.track] = word
        if word == TAKEN:
            chosen.append(source)
    return chosen


def _composed(sources: Sequence[_Source], asked: Asked, settings: SoundSettings) -> list[str]:
    """Return the outcome of each source, in their order: the first with speech is taken, and so is each later one that
    alternates with those taken before."""
    words: list[str] = []
    voices: list[_Voice] = []
    first: SoundTrack | None = None
    for source in sources:
        track = source.heard.track
        if first is not None and track.track != first.track:
            told = {track.language, first.language}
            if None not in told and "und" not in told and len(told) > 1:
                words.append(OTHER_LANGUAGE)
                continue
            if track.is_extra:
                words.append(EXTRA)
                continue
        if source.speech is None:
            source.speech = asked(source.taken)
        if source.speech.sum() * STEP_S < settings.min_speech_s:
            words.append(NO_SPEECH)
            continue
        voice = _voice(source)
        words.append(_relation(voice, voices, settings) if voices else TAKEN)
        if words[-1] == TAKEN:
            first = first or track
            voices.append(voice)
    return words


def _voice(source: _Source) -> _Voice:
    assert source.speech is not None
    speech = _fitted(source.speech, len(source.levels))
    usual_db = np.percentile(source.levels[speech], SPEAKING) if speech.any() else 0.0
    is_near = np.convolve(speech, np.ones(SMOOTHED_STEPS), "same") > 0.5
    relative_db = np.where(is_near, _smooth(source.levels) - usual_db, -np.inf)
    return _Voice(source.levels, relative_db.astype(np.float32))


def _relation(voice: _Voice, taken: Sequence[_Voice], settings: SoundSettings) -> str:
    """Return TAKEN if a voice alternates with those taken, SAME_SPEECH if it repeats one, else OTHER_SPEECH."""
    steps = max(len(v.relative_db) for v in (voice, *taken))
    others = np.max([_fitted(v.relative_db, steps, -np.inf) for v in taken], axis=0)
    mine = _fitted(voice.relative_db, steps, -np.inf)
    present = mine >= -settings.present_db
    own = present & (others < mine - settings.lead_db)
    both = present & ~own & (others <= mine + settings.lead_db)
    own_s, both_s = own.sum() * STEP_S, both.sum() * STEP_S
    if own_s >= settings.min_speech_s and own_s >= settings.own_share * (own_s + both_s):
        return TAKEN
    nearest = max(taken, key=lambda v: _likeness(v, voice, both))
    return SAME_SPEECH if _likeness(nearest, voice, both) >= settings.same_speech else OTHER_SPEECH


def _likeness(a: _Voice, b: _Voice, where: Flags) -> float:
    """Return the correlation of two sources' levels by step; 1 if there is too little to distinguish them."""
    return _correlation(*(_fitted(v.levels, len(where), FLOOR_DB)[where] for v in (a, b)))


def _correlation(x: Floats, y: Floats) -> float:
    if len(x) < SMOOTHED_STEPS or not x.std() or not y.std():
        return 1.0
    return float(np.corrcoef(x.astype(np.float64), y.astype(np.float64))[0, 1])


def _loud(levels: Floats) -> float:
    return float(np.percentile(levels, LOUD)) if len(levels) else FLOOR_DB


def _smooth(levels: Floats) -> Floats:
    """Return the mean power over half a second, dB."""
    power = np.convolve(10 ** (levels.astype(np.float64) / 10), np.ones(SMOOTHED_STEPS) / SMOOTHED_STEPS, "same")
    return np.asarray(10 * np.log10(np.maximum(power[: len(levels)], 10 ** (FLOOR_DB / 10))), np.float32)


def _fitted(values: Any, steps: int, fill: float = 0) -> Any:
    """Return an array cut or padded to a number of steps."""
    return np.pad(values[:steps], (0, max(0, steps - len(values))), constant_values=fill)


# -- words -------------------------------------------------------------------------------------------------------------


def _row(heard: HeardTrack, word: str, source: _Source | None) -> dict[str, Any]:
    """Return a row of `videos.sound_tracks`."""
    track, levels = heard.track, heard.levels
    channels = [SILENT] * len(levels.channels) if levels is not None else []
    if source is not None:
        channels = [word if told == TAKEN else told for told in source.words]
    speech = None if source is None or source.speech is None else float(source.speech.sum() * STEP_S)
    return {
        **header_row(track),
        "channels": track.channels if levels is None else len(levels.channels),
        "start_s": None if levels is None else levels.start_s,
        "end_s": None if levels is None else levels.end_s,
        "level_dbfs": None if levels is None else max(_loud(c) for c in levels.channels),
        "speech_s": speech,
        "found": word,
        "channels_found": channels,
    }


def header_row(track: SoundTrack) -> dict[str, Any]:
    """Return the part of such a row that the header provides."""
    names = ("track", "codec", "language", "title", "is_default", "channels", "layout", "sample_rate_hz")
    return {name: getattr(track, name) for name in names}


def lines(tracks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one line per row of `videos.sound_tracks`: the track, its level and its outcome."""
    return [_line(track) for track in tracks]


def _line(track: Mapping[str, Any]) -> str:
    rate = None if track["sample_rate_hz"] is None else f"{track['sample_rate_hz']} Hz"
    facts = [track["codec"] or "no decoder", track["layout"], rate, track["language"], track["title"]]
    if track.get("level_dbfs") is not None:
        facts.append(f"{track['start_s']:.2f}-{track['end_s']:.2f} s, {track['level_dbfs']:.0f} dBFS")
    if track.get("speech_s") is not None:
        facts.append(f"{track['speech_s']:.1f} s of speech")
    channels = track.get("channels_found") or []
    told = f" ({', '.join(channels)})" if len(set(channels)) > 1 else ""
    return (
        f"track {track['track']}: {', '.join(str(f) for f in facts if f)}: {track.get('found') or 'not decoded'}{told}"
    )
