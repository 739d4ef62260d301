"""A picture to look at: for every score of a lake the clips with its lowest and its highest values.

    python tests/benchmarks/contact_sheet.py LAKE OUT.png [SCORE ...]

One row a score: name, lowest to highest; under each clip its value. Seconds on a small lake; posters are kept in it.
"""

import base64
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

import speakervid_dag
from speakervid_dag.lake.schemas.measures import scores
from speakervid_dag.report.posters import posters

EACH_END, TILE_PX, NAME_PX, LINE_PX, WALL_S = 3, (104, 130), 250, 16, 300.0
CLIPS = """
SELECT s.*, c.start_s, c.end_s, c.x1, c.y1, c.x2, c.y2, v.video_start_s
FROM clip_scores AS s JOIN clips AS c USING (clip_id) JOIN videos AS v ON v.video_id = c.video_id
"""


def ends(clips: pl.DataFrame, score: str) -> list[dict[str, Any]]:
    """The clips with the lowest and the highest values, in order; none twice, none that was not measured."""
    known = clips.drop_nulls(score).sort(score, "clip_id")
    if known.height > 2 * EACH_END:
        known = pl.concat([known.head(EACH_END), known.tail(EACH_END)])
    return known.to_dicts()


def tile(uri: str | None, told: str) -> NDArray[np.uint8]:
    width, height = TILE_PX
    canvas = np.full((height + LINE_PX, width, 3), 255, np.uint8)
    if uri is not None:
        data = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
        canvas[:height] = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR), TILE_PX, interpolation=cv2.INTER_AREA)
    return written(canvas, told, (4, height + 12))


def written(canvas: NDArray[np.uint8], text: str, place: tuple[int, int]) -> NDArray[np.uint8]:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


def main(lake: str, out: str, *chosen: str) -> None:
    clips = speakervid_dag.connect(lake).sql(CLIPS).pl()
    rows = {name: ends(clips, name) for name in chosen or scores() if name in clips.columns}
    asked = {clip["clip_id"]: clip for row in rows.values() for clip in row}
    pictures = posters(Path(lake), list(asked.values()), wall_s=WALL_S)
    sheet = []
    for name, row in rows.items():
        label = np.full((TILE_PX[1] + LINE_PX, NAME_PX, 3), 255, np.uint8)
        missing = clips.height - clips[name].count()
        written(written(label, name, (4, 30)), f"{missing} of {clips.height} not evaluated", (4, 50))
        tiles = []
        for clip in row:
            picture = pictures[clip["clip_id"]]
            tiles.append(tile(picture.uri, f"{clip[name]:.3g} {picture.reason or ''}"))
        tiles += [np.full((TILE_PX[1] + LINE_PX, TILE_PX[0], 3), 255, np.uint8)] * (2 * EACH_END - len(tiles))
        sheet.append(np.hstack([label, *tiles]))
    if not sheet:
        raise SystemExit("none of these scores is in the lake")
    cv2.imwrite(out, np.vstack(sheet))
    print(f"{out}: {len(sheet)} scores, {len(asked)} clips of {clips.height}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
