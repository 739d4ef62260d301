"""Single pictures of a video at given times, found by seeking: posters, contact sheets.

Belongs here: requests to the decoding process. Does not belong here: pictures for measurements (decode yields each with
its exact time), uses of stills.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.child import Child
from speakervid_dag.media.decoder import wire
from speakervid_dag.media.probe import base_request
from speakervid_dag.media.sniff import sniff

Image = NDArray[np.uint8]


def read_stills(
    path: Path, times_s: Sequence[float], budget: MediaBudget, *, video_start_s: float, max_long_side_px: int
) -> list[Image]:
    """Return one picture per time: the first shown at or after it, or else the video's last.

    Args:
        times_s: seconds from the container's start, any order.
        video_start_s: when the picture starts on that clock (`MediaInfo.video_start_s`).
        max_long_side_px: pictures are scaled down, never up, to this long side.

    Returns:
        uint8 (height, width, 3) BGR, upright, square pixels, in the order of `times_s`.

    Raises:
        PermanentFailure: no_video_stream, not_seekable, no_decodable_picture, over_budget, decoder_crashed,
            decoder_timeout, decoder_out_of_memory, and the reasons of `probe` for a file that cannot be opened.
    """
    request = {
        **base_request(path, sniff(path), budget),
        "task": "stills",
        "times_s": list(times_s),
        "video_start_s": video_start_s,
        "max_long_side_px": max_long_side_px,
    }
    stills: list[Image] = []
    with Child(request, budget, media_s=0.0) as child:
        for header, payload in child.messages():
            if header.kind == wire.PICTURE:
                stills.append(payload.reshape(header.height, header.width, 3))
    return stills
