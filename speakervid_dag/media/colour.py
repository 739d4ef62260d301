"""Colour spaces of pictures and their conversion to BGR as a player shows it; runs in the decoding process.

Belongs here: transfer, primaries and matrix of a picture; conversion of high dynamic range (HDR) and wide gamut to
BT.709. Does not belong here: size and orientation (geometry), the loop over pictures (decoder/picture). numpy is
imported only when a picture needs a table.

HDR is converted to SDR by ITU documents: PQ and HLG to the light of a display of 1,000 cd/m² (BT.2100-2, tables 4 and
5); that light to a display whose white is 203 cd/m² (HDR reference white, BT.2408) by the tone curve of BT.2390-11,
5.4.1, on each of R, G and B; BT.2020 to BT.709 (BT.2087); back to signal by BT.1886. All of it is one table of
36 x 36 x 36 colours, between which libavfilter interpolates.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# Numbers of ITU-T H.273, which libav shares.
PQ, HLG = 16, 18
HDR = {PQ: "pq", HLG: "hlg"}
UNSPECIFIED, BT709, SMPTE170M, BT2020 = 2, 1, 6, 9
SMPTE170M_SWS = 5  # the same matrix, as swscale numbers it
TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316",
    11: "iec61966-2-4", 12: "bt1361", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", PQ: "smpte2084",
    17: "smpte428", HLG: "arib-std-b67",
}  # fmt: skip
SDR_TRANSFERS = {1, 2, 4, 5, 6, 7, 11, 12, 13, 14, 15}
PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 10: "smpte428",
    11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
MATRICES = {0, 1, 2, 4, 5, 6, 7, 9}  # supported by swscale; RGB is 0
RANGES = {0, 1, 2}

PEAK, WHITE = 1000.0, 203.0  # cd/m²
HLG_GAMMA = 1.2  # of a display of 1,000 cd/m², BT.2100 note 5f
DISPLAY_GAMMA = 2.4  # BT.1886
TABLE_LEVEL = 6  # 36 steps of each colour, as a square of 216 x 216
PLANAR = "gbrpf32le"  # the filter's fastest format

# Linear RGB to BT.709's. BT.2020: BT.2087-0, annex 1; Display P3 and P3 (white D65) from their primaries, SMPTE RP 177.
TO_BT709 = {
    9: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    12: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
BT2020_LUMA = (0.2627, 0.6780, 0.0593)

IMPOSSIBLE = 4000.0  # cd/m²: brighter than mastering displays of films
IMPOSSIBLE_SHARE = 0.01  # of a picture; a lamp or the sun stays below
LOOK_PX = 64


class Kind(NamedTuple):
    """The conversion a picture needs to BT.709: from an HDR transfer, from wide-gamut primaries, or both."""

    hdr: int | None
    primaries: int | None


def described(picture: Any) -> dict[str, Any]:
    """Return fields of `probe.MediaInfo`: the stream's colour tags, how they are interpreted, and what is wrong."""
    transfer, primaries = int(picture.color_trc), int(picture.color_primaries)
    fault = None
    if transfer not in SDR_TRANSFERS and transfer not in HDR:
        fault = f"nobody knows how to show the transfer '{_name(TRANSFERS, transfer)}'"
    elif int(picture.colorspace) not in MATRICES or int(picture.color_range) not in RANGES:
        fault = f"nobody knows how to show matrix {int(picture.colorspace)}, range {int(picture.color_range)}"
    return {
        "color_transfer": _name(TRANSFERS, transfer),
        "color_primaries": _name(PRIMARIES, primaries),
        "bit_depth": max((part.bits for part in picture.format.components), default=8),
        "colours": HDR.get(transfer, "sdr"),
        "colour_fault": fault,
        "is_hdr_believed": True,
    }


def _name(names: Mapping[int, str], number: int) -> str | None:
    return None if number == UNSPECIFIED else names.get(number, f"unknown-{number}")


def is_brighter_than_light(picture: Any) -> bool:
    """Return whether a picture, read as PQ, would be brighter than any film: SDR with a wrong tag."""
    grey = picture.reformat(LOOK_PX, LOOK_PX, format="gray", interpolation="POINT", **_known(picture)).planes[0]
    rows = [bytes(grey)[at : at + LOOK_PX] for at in range(0, LOOK_PX * grey.line_size, grey.line_size)]
    limit: float = _pq(IMPOSSIBLE) * 255
    bright = sum(value > limit for row in rows for value in row)
    return bright > IMPOSSIBLE_SHARE * LOOK_PX**2


class Shown:
    """Converter of pictures to what a BT.709 player shows, from any colour space.

    Args:
        is_hdr_believed: False treats pictures tagged PQ or HLG as SDR.
        threads: of the table's filter.
    """

    def __init__(self, *, is_hdr_believed: bool = True, threads: int = 1) -> None:
        self._is_hdr_believed, self._threads = is_hdr_believed, threads
        self._table: _Table | None = None

    def bgr(self, picture: Any, width: int, height: int) -> Any:
        """Return the picture in bgr24, of this size."""
        kind = self._kind(picture)
        if kind is None:
            return picture.reformat(width, height, "bgr24", interpolation="BILINEAR", **_known(picture))
        return self._mapped(picture, kind, width, height, "BILINEAR")

    def yuv(self, picture: Any, width: int, height: int, layout: str) -> Any:
        """Return the picture in a YUV layout, of this size; `tags` returns its colour tags."""
        kind = self._kind(picture)
        if kind is None:
            return picture.reformat(width, height, layout, interpolation="BICUBIC", **_known(picture))
        bgr = self._mapped(picture, kind, width, height, "BICUBIC")
        return bgr.reformat(format=layout, dst_colorspace="ITU709", dst_color_range="MPEG")

    def tags(self, picture: Any, yuv: Any) -> dict[str, int]:
        """Return libav's codes for `encode.Colours`, for the result of `yuv` on this picture."""
        if self._kind(picture) is not None:
            return {"color_range": 1, "colorspace": BT709, "color_primaries": BT709, "color_trc": BT709}
        known = int(picture.colorspace) in MATRICES
        return {
            "color_range": int(yuv.color_range),
            "colorspace": int(picture.colorspace) if known else SMPTE170M,
            "color_primaries": int(picture.color_primaries),
            "color_trc": int(picture.color_trc) if int(picture.color_trc) in SDR_TRANSFERS else UNSPECIFIED,
        }

    def _kind(self, picture: Any) -> Kind | None:
        """Return the conversion a picture needs to BT.709; None if it needs none."""
        transfer, primaries = int(picture.color_trc), int(picture.color_primaries)
        hdr = transfer if transfer in HDR and self._is_hdr_believed else None
        wide = BT2020 if hdr and primaries == UNSPECIFIED else primaries
        return Kind(hdr, wide if wide in TO_BT709 else None) if hdr or wide in TO_BT709 else None

    def _mapped(self, picture: Any, kind: Kind, width: int, height: int, interpolation: str) -> Any:
        if self._table is None or self._table.serves != (kind, width, height):
            self._table = _Table(kind, width, height, self._threads)
        planar = picture.reformat(width, height, PLANAR, interpolation=interpolation, **_known(picture))
        return self._table.bgr(planar)


def _known(picture: Any) -> dict[str, int]:
    """Return arguments of `reformat` for HDR of unstated matrix, and for a matrix or range swscale does not know."""
    known: dict[str, int] = {}
    matrix, is_hdr = int(picture.colorspace), int(picture.color_trc) in HDR
    if matrix not in MATRICES or (is_hdr and matrix == UNSPECIFIED):
        known["src_colorspace"] = known["dst_colorspace"] = BT2020 if is_hdr else SMPTE170M_SWS
    if int(picture.color_range) not in RANGES:
        known["src_color_range"] = known["dst_color_range"] = 1
    return known


class _Table:
    """Filter that maps each colour through a table, for pictures of one size."""

    def __init__(self, kind: Kind, width: int, height: int, threads: int) -> None:
        from av.filter import Graph
        from av.video.format import VideoFormat

        self.serves = kind, width, height
        graph, layout, base = Graph(), VideoFormat(PLANAR), Fraction(1, 1)
        graph.threads = threads
        side = TABLE_LEVEL**3
        self._pictures = graph.add_buffer(width=width, height=height, format=layout, time_base=base)
        table = graph.add_buffer(width=side, height=side, format=layout, time_base=base)
        look_up, self._sink = graph.add("haldclut", "clut=first"), graph.add("buffersink")
        self._pictures.link_to(look_up, 0, 0)
        table.link_to(look_up, 0, 1)
        look_up.link_to(self._sink)
        graph.configure()
        colours = _table_picture(kind)
        colours.pts = 0
        table.push(colours)
        table.push(None)
        self._graph, self._count = graph, 0

    def bgr(self, planar: Any) -> Any:
        """Return a picture in PLANAR, of the size served, as bgr24."""
        import av
        import numpy as np

        planar.pts, planar.time_base = self._count, Fraction(1, 1)
        self._count += 1
        self._pictures.push(planar)
        found: Any = self._sink.pull()
        image = np.empty((found.height, found.width, 3), np.uint8)
        for channel, plane in zip((1, 0, 2), found.planes, strict=True):  # G, B, R
            rows = np.frombuffer(plane, np.float32).reshape(found.height, plane.line_size // 4)
            image[:, :, channel] = rows[:, : found.width]
        return av.VideoFrame.from_ndarray(image, format="bgr24")


def _table_picture(kind: Kind) -> Any:
    """Return the table in haldclut's order: red changes fastest, then green, then blue."""
    import av
    import numpy as np

    steps = np.linspace(0.0, 1.0, TABLE_LEVEL**2)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    rgb = to_bt709(np.stack([red, green, blue], axis=-1).reshape(-1, 3), kind)
    side = TABLE_LEVEL**3
    codes = (rgb * 255 + 0.5).astype(np.float32).reshape(side, side, 3)  # + 0.5: the later truncation then rounds
    return av.VideoFrame.from_ndarray(codes, format=PLANAR)


def to_bt709(signal: "Array", kind: Kind) -> "Array":
    """Convert coded R'G'B' (n, 3), 0-1, to R'G'B' of BT.709 on a BT.1886 display, (n, 3), 0-1."""
    import numpy as np

    light = (
        np.power(signal, DISPLAY_GAMMA) if kind.hdr is None else _tone_curve(_display_light(signal, kind.hdr)) / WHITE
    )
    if kind.primaries is not None:
        light = light @ np.array(TO_BT709[kind.primaries]).T
    shown: Array = np.power(np.clip(light, 0.0, 1.0), 1 / DISPLAY_GAMMA)
    return shown


def _display_light(signal: "Array", transfer: int) -> "Array":
    """Convert coded R'G'B' to cd/m² of each on a display that reaches PEAK (BT.2100-2, tables 4 and 5)."""
    import numpy as np

    if transfer == PQ:
        return _pq_light(signal)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luma = scene @ np.array(BT2020_LUMA)
    light: Array = PEAK * scene * np.power(luma, HLG_GAMMA - 1)[:, None]
    return light


def _tone_curve(light: "Array") -> "Array":
    """Compress cd/m² up to PEAK to cd/m² up to WHITE; values below the knee stay (BT.2390-11, 5.4.1, black at 0)."""
    import numpy as np

    peak = _pq(PEAK)
    most = _pq(WHITE) / peak
    knee = 1.5 * most - 0.5
    signal = np.minimum(_pq(light) / peak, 1.0)
    t = (signal - knee) / (1 - knee)
    rolled = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    return _pq_light(np.where(signal < knee, signal, rolled) * peak)


M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32  # ST 2084


def _pq(light: Any) -> Any:
    """Convert cd/m² to PQ signal, 0-1; number or array."""
    power = (light / 10_000) ** M1
    return ((C1 + C2 * power) / (1 + C3 * power)) ** M2


def _pq_light(signal: "Array") -> "Array":
    """Convert PQ signal, 0-1, to cd/m²."""
    import numpy as np

    power = np.power(signal, 1 / M2)
    light: Array = 10_000 * np.power(np.maximum(power - C1, 0.0) / (C2 - C3 * power), 1 / M1)
    return light
