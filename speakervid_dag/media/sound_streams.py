"""Header facts of sound tracks, and the mix of their channels to mono; runs in the decoding process.

Belongs here: facts of headers, the standard downmix. Does not belong here: decoding (decoder/sound,
decoder/sound_levels), the choice of tracks (curation/sources/sound_choice).
"""

from collections.abc import Sequence
from typing import Any

# Weights of ITU-R BS.775-3, table 2 (mono): centre 1, front .707, surround .5, low-frequency channel 0.
DOWNMIX = {"FC": 1.0, "FL": 0.7071, "FR": 0.7071, "FLC": 0.7071, "FRC": 0.7071, "DL": 0.7071, "DR": 0.7071}
DOWNMIX |= dict.fromkeys(("BL", "BR", "SL", "SR", "BC", "WL", "WR"), 0.5) | dict.fromkeys(("LFE", "LFE2"), 0.0)


def sound_facts(container: Any, best: Any) -> list[dict[str, Any]]:
    """Return fields of `probe.SoundTrack` per sound stream, the one that players choose first."""
    from av.stream import Disposition

    extra = Disposition.comment | Disposition.dub | Disposition.hearing_impaired | Disposition.visual_impaired
    streams = sorted(container.streams.audio, key=lambda stream: stream.index != best.index)
    return [
        {
            "track": stream.index,
            "codec": None if stream.codec_context is None else stream.codec_context.codec.canonical_name,
            "language": stream.metadata.get("language"),
            "title": stream.metadata.get("title"),
            "is_default": bool(stream.disposition & Disposition.default),
            "is_extra": bool(stream.disposition & extra),
            "channels": getattr(stream.codec_context, "channels", None),
            "layout": getattr(getattr(stream.codec_context, "layout", None), "name", None),
            "sample_rate_hz": getattr(stream.codec_context, "sample_rate", None),
        }
        for stream in streams
    ]


def channel_names(layout: Any) -> list[str]:
    """Return the names of a layout's channels; `NONE` for each if the layout is unordered."""
    return [str(channel.name) for channel in layout.channels]


def downmix(names: Sequence[str]) -> list[float]:
    """Return weights (channels,) for a mono mix, of sum 1: the standard ones, or equal ones if a name is unknown."""
    weights = [DOWNMIX.get(name, 0.0) for name in names]
    if any(name not in DOWNMIX for name in names) or not sum(weights):
        weights = [1.0] * len(names)
    return [weight / sum(weights) for weight in weights]
