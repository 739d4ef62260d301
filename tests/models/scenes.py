"""One face in one turn, for the backends that look at face pictures."""

import numpy as np

from speakervid_dag.curation.faces.crops import CropCollector, FaceCrops
from speakervid_dag.curation.speaking.pairs import Pair, Scene


def scene_of(crops: FaceCrops | None, seconds: float) -> Scene:
    """A track through the whole of a silent video, and a turn that lasts as long."""
    times = np.arange(0, seconds, 0.04).tolist()
    track: dict[str, object] = {"track_id": "v1-s0000-t00", "person_id": "v1-p00", "frame_times_s": times}
    track |= {"start_s": 0.0, "end_s": seconds}
    pair = Pair(track, {"turn_id": "v1-u0000", "speaker_id": "A"}, 0.0, seconds)
    sound = np.zeros(round(seconds * 16000), np.float32)
    return Scene([pair], sound, 16000, lambda _: crops)


def grey_crops(count: int) -> FaceCrops:
    """Pictures of a grey surface, 25 a second."""
    collector = CropCollector()
    for i in range(count):
        collector.add(i / 25, np.full((120, 160, 3), 90 + i, np.uint8), (50.0, 30.0, 110.0, 90.0))
    return collector.done()
