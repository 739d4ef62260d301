"""Clips with something missing: every score is a sound value, or not evaluated with a reason. Never NaN, never a 0 that
nobody measured."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from followed import Followed, Seen, plain
from numpy.typing import NDArray
from rows import frame

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.faces.geometry import WHOLE
from speakervid_dag.curation.frames.log import FrameLog, ShotSpan
from speakervid_dag.curation.frames.region import RegionWatch
from speakervid_dag.curation.pixels import face_sharpness
from speakervid_dag.curation.scores import camera as camera_measures
from speakervid_dag.curation.scores import dover as dover_views
from speakervid_dag.curation.scores import head as head_scores
from speakervid_dag.curation.scores import person as person_measures
from speakervid_dag.curation.scores import points as point_tracks
from speakervid_dag.curation.scores.clip import WORDS, score_clips
from speakervid_dag.curation.scores.looks import ClipModels
from speakervid_dag.curation.scores.picture import region_measures
from speakervid_dag.lake import schemas
from speakervid_dag.lake.schemas.measures import MEASURES

pytestmark = pytest.mark.heavy

Row = dict[str, Any]
PROFILE = load_profile("laptop")
SETTINGS = PROFILE.scores.model_copy(update={"languages": ("en",)})
RATE_HZ, FPS, LENGTH_S = 16_000, 25, 4.0
LABELS = ("framing", "camera_movement", "emotion")
NAMES = [n.removesuffix("_status") for n in schemas.CLIP_SCORES.schema if n.endswith("_status")]

REGION = ("luminance", "dark_run_frames", "bright_run_frames", "motion", "freeze_share")
PICTURE = (*REGION, "face_count_consistency")
LOOKS = (*camera_measures.TEXTURE, *camera_measures.TEXT)
FACE = (
    "face_blur",
    "face_motion",
    "head_yaw_deg",
    "head_pitch_deg",
    "head_roll_deg",
    "face_share",
    "face_height_px",
    "splice_jump",
)
HEAD = tuple(n for n in head_scores.NAMES if n != "face_consistency")
DNSMOS = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "dnsmos_p808")
PERSON = person_measures.NAMES
LOOKED = (*dover_views.NAMES, point_tracks.NAME)


class Blank:
    """A text detector that finds none."""

    def probability(self, image: NDArray[np.uint8], _: int) -> NDArray[np.float32]:
        return np.zeros(image.shape[:2], np.float32)


class Pictures:
    """As DOVER and CoTracker would: numbers of what they are given."""

    runs = 3

    def raw(self, aesthetic: NDArray[np.float32], technical: NDArray[np.float32]) -> tuple[float, float]:
        return 0.1 * float(technical.mean()), 0.1 * float(aesthetic.mean())

    def visible(self, pictures: NDArray[np.uint8], grid: int) -> NDArray[np.bool_]:
        return np.ones((len(pictures), grid * grid), np.bool_)


def frames(height: int = 120, width: int = 160, count: int = 100, flat: int | None = None) -> list[Seen]:
    """A moving texture, or one grey level."""
    wide = np.random.default_rng(0).integers(0, 256, (height + 200, width, 3), dtype=np.uint8)
    views = [wide[number : number + height] for number in range(count)]
    return [Seen(i / FPS, v if flat is None else np.full_like(v, flat)) for i, v in enumerate(views)]


def looked_at(*size: int, flat: int | None = None, count: int = 100) -> list[Row]:
    """The row of frame_series that the picture pass makes of `frames`."""
    log = FrameLog(ShotSpan("s", 0.0, LENGTH_S), PROFILE.sampling, PartClock(), text=Blank())
    for seen in frames(*size, count=count, flat=flat):
        log.note(seen)
        log.count_faces(1)
        log.look(seen, [])
    return [plain(log.row())]


def tracked(count: int = 100, **change: Any) -> list[Row]:
    angles = {f"{axis}_deg": [5.0] * count for axis in ("yaw", "pitch", "roll")}
    series = {"mesh_score": [1.0] * count, "face_sharpness": [300.0] * count, "keypoints": [[0.45, 0.3] * 5] * count}
    times = [i / FPS for i in range(count)]
    series |= {"region_luma": [100.0] * count, "region_motion": [None, *[2.0] * (count - 1)]}
    row = {"track_id": "t", "frame_times_s": times, "boxes": [[0.4, 0.2, 0.6, 0.6]] * count, **angles, **series}
    return [{**row, **change}]


def posed(count: int = 8, **change: Any) -> list[Row]:
    body = [[5000, 3000, 100] * 33] * count
    statuses = {f"{part}_status": "ok" for part in ("body", "hands", "emotion")}
    hands: Row = {f"{side}_hand_sharpness": [200.0] * count for side in ("left", "right")}
    row = {"track_id": "t", "sample_times_s": [0.5 * i for i in range(count)], "face_repeat": [0.1] * count}
    return [{**row, **hands, **statuses, "body": body, "emotion": [[0.1] * 6 + [0.4]] * count, **change}]


def voice(loud: float = 0.1) -> NDArray[np.float32]:
    samples = np.random.default_rng(1).normal(0, 1e-4, int(LENGTH_S * RATE_HZ))
    samples[RATE_HZ : 3 * RATE_HZ] *= loud / 1e-4
    return samples.astype(np.float32)


def said(**change: Any) -> list[Row]:
    word = {"word": "so", "start_s": 1.0, "end_s": 1.2, "probability": 1.0}
    row = {"turn_id": "u", "start_s": 1.0, "end_s": 3.0, "avg_logprob": -0.3, "no_speech_prob": 0.1, "text": "so"}
    return [{**row, "compression_ratio": 1.1, "language": "en", "language_probability": 0.9, "words": [word], **change}]


def model(pieces: Any) -> Any:
    """As DNSMOS would: NaN for what is no number."""
    return [type("Q", (), dict.fromkeys(("sig", "bak", "ovrl", "p808"), 3.0 + float(p.mean()))) for p in pieces]


class Case(NamedTuple):
    """Tables in place of the sound ones, and what is then not evaluated: the rest is."""

    change: Callable[[], Row]
    missing: dict[str, str]


CASES = {
    "nothing is missing": Case(dict, {}),
    "no face": Case(
        lambda: {"face_tracks": [], "poses": []}, dict.fromkeys((*REGION, *FACE, *HEAD, *PERSON), "too_few_frames")
    ),
    "no hands": Case(
        lambda: {"poses": posed(left_hand_sharpness=[None] * 8, right_hand_sharpness=[None] * 8)},
        dict.fromkeys(person_measures.HANDS, "no_hands"),
    ),
    "one hand": Case(lambda: {"poses": posed(left_hand_sharpness=[None] * 8)}, {"hand_blur_left": "no_hands"}),
    "no body": Case(
        lambda: {"poses": posed(body=[[]] * 8)}, dict.fromkeys(person_measures.BODY, "no_body")
    ),
    "8x8 pixels": Case(
        lambda: {
            "videos": [{"bit_rate_bps": 1e5, "width_px": 8, "height_px": 8}],
            "frame_series": looked_at(8, 8),
            "frames": frames(8, 8),
            "face_tracks": tracked(face_sharpness=[None] * 100),
            "poses": posed(face_repeat=[None] * 8, left_hand_sharpness=[None] * 8, right_hand_sharpness=[None] * 8),
        },
        {
            **dict.fromkeys(("blur_effect", "noise_sigma", "text_share", *LOOKED), "too_small"),
            "blockiness": "shrunk",
            "camera_movement": "no_background",
            **dict.fromkeys(("camera_pan", "camera_zoom", "camera_shake"), "no_background"),
            "point_track_ratio": "no_corners",
            **dict.fromkeys(("face_blur", "face_repeat_share"), "no_face_pixels"),
            **dict.fromkeys(person_measures.HANDS, "no_hands"),
        },
    ),
    "one frame": Case(
        lambda: {"frame_series": looked_at(count=1), "face_tracks": tracked(1), "poses": posed(1)},
        dict.fromkeys(
            (*PICTURE, *camera_measures.CAMERA, *LOOKS, *FACE, *HEAD, "face_consistency", *PERSON, *LOOKED),
            "too_few_frames",
        ),
    ),
    "no frame": Case(
        lambda: {"frame_series": looked_at(count=0), "face_tracks": tracked(0)},
        {
            **dict.fromkeys((*PICTURE, *camera_measures.CAMERA, *LOOKS, *FACE, *HEAD), "too_few_frames"),
            **dict.fromkeys(("face_consistency", "face_repeat_share", *LOOKED), "too_few_frames"),
            **dict.fromkeys(("motion_speed", "motion_degree"), "no_face_pixels"),
        },
    ),
    "frames that cannot be decoded again": Case(
        lambda: {"frames": frames()[:50]}, dict.fromkeys(LOOKED, "frames_lost")
    ),
    "black": Case(
        lambda: {
            "frame_series": looked_at(flat=0),
            "frames": frames(flat=0),
            "face_tracks": tracked(region_luma=[0.0] * 100, region_motion=[None, *[0.0] * 99]),
        },
        {
            "border_share": "too_dark",
            **dict.fromkeys(camera_measures.CAMERA, "no_background"),
            "point_track_ratio": "no_corners",
            "face_repeat_share": "frozen",
        },
    ),
    "silence": Case(
        lambda: {"audio": np.zeros(int(LENGTH_S * RATE_HZ), np.float32), "speech_turns": [], "transcripts": []},
        {
            **{n: "no_words" for n in WORDS if n != "words_per_s"},
            **dict.fromkeys((*DNSMOS, "snr_db"), "too_little_speech"),
        },
    ),
    "silence in a turn": Case(
        lambda: {"audio": np.zeros(int(LENGTH_S * RATE_HZ), np.float32)},
        {**dict.fromkeys(DNSMOS, "digital_silence"), "snr_db": "no_noise_floor"},
    ),
    "no sound": Case(lambda: {"audio": None}, dict.fromkeys((*DNSMOS, "snr_db", "clipping_share"), "no_audio")),
    "a frame's sound": Case(
        lambda: {"audio": voice()[:100]},
        {**dict.fromkeys(DNSMOS, "audio_too_short"), "snr_db": "audio_too_short"},
    ),
    "angles and points that are no numbers": Case(
        lambda: {
            "face_tracks": tracked(
                yaw_deg=[None] * 100, pitch_deg=[None] * 100, roll_deg=[None] * 100,
                keypoints=[[float("nan")] * 10] * 100,
            )
        },
        dict.fromkeys(("head_yaw_deg", "head_pitch_deg", "head_roll_deg", *HEAD), "too_few_frames"),
    ),
    "a face without height": Case(
        lambda: {"face_tracks": tracked(boxes=[[0.4, 0.2, 0.6, 0.2]] * 100)},
        dict.fromkeys(("face_motion", "motion_speed", "motion_degree"), "no_face_pixels"),
    ),
    "a body seen where the face was not": Case(
        lambda: {"face_tracks": tracked(frame_times_s=[100 + i / FPS for i in range(100)])},
        {
            **dict.fromkeys((*REGION, *FACE, *HEAD), "too_few_frames"),
            **dict.fromkeys(("motion_speed", "motion_degree"), "no_face_pixels"),
        },
    ),
    "expressions seen at no moment": Case(
        lambda: {"poses": posed(emotion=[[]] * 8)}, dict.fromkeys(person_measures.EXPRESSION, "too_few_frames")
    ),
    "synchrony that is no number": Case(
        lambda: {"sync_scores": [{"track_id": "t", "turn_id": "u", "sync_conf": float("nan")}]},
        {"sync_conf": "no_sync_score"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_score_is_a_sound_value_or_says_why_not(name: str) -> None:
    case = CASES[name]
    row = scored(case.change())

    assert {n: row[f"{n}_status"] for n in NAMES if row[f"{n}_status"] != "ok"} == case.missing
    for score in NAMES:
        value = row[score]
        assert (value is None) == (score in case.missing), score
        if value is not None and score not in LABELS:
            low, high = MEASURES[score].scale
            assert np.isfinite(value), score
            assert low is None or value >= low - 1e-6, score
            assert high is None or value <= high + 1e-6, score


def scored(change: Row) -> Row:
    tables: dict[str, list[Row]] = {
        "videos": [{"bit_rate_bps": 3e6, "width_px": 640, "height_px": 480}],
        "face_tracks": tracked(),
        "frame_series": looked_at(),
        "poses": posed(),
        "transcripts": said(),
        "speech_turns": [{"turn_id": "u", "start_s": 1.0, "end_s": 3.0}],
        "sync_scores": [{"track_id": "t", "turn_id": "u", "sync_conf": 4.0}],
    }
    tables |= {k: v for k, v in change.items() if k in tables}
    clip = {"clip_id": "c", "track_id": "t", "shot_id": "s", "role": "talking", "turn_ids": ["u"], "start_s": 0.0}
    clips = frame(schemas.CLIPS, [{**clip, "end_s": LENGTH_S, "x1": 0.1, "y1": 0.0, "x2": 0.9, "y2": 1.0}])
    models = {
        dover_views.NAMES: partial(dover_views.DoverLook, model=Pictures()),
        (point_tracks.NAME,): partial(point_tracks.PointLook, settings=SETTINGS, tracker=Pictures()),
    }
    looks = ClipModels.plan(clips.to_dicts(), tables["frame_series"], models)
    looks.watch(change.get("frames", frames()), PartClock())
    made = score_clips(
        clips,
        **{name: frame(schemas.TABLES[name], rows) for name, rows in tables.items()},
        audio=change.get("audio", voice()),
        rate_hz=RATE_HZ,
        settings=SETTINGS,
        dnsmos=model,
        looked=looks.answers,
    )
    return dict(made.row(0, named=True))


def test_a_change_of_the_pictures_size_is_no_stillness() -> None:
    person, regions = Followed((20.0, 20.0, 60.0, 60.0)), RegionWatch(0.5, PartClock())
    for number in range(40):
        size = (90, 160, 3) if number % 2 else (160, 90, 3)
        person.see(number / FPS)
        regions.feed(Seen(number / FPS, np.full(size, number, np.uint8)), [person], WHOLE)
    track = plain(regions.series(person)) | {"frame_times_s": [i / FPS for i in range(40)]}

    assert region_measures(track, (0.0, LENGTH_S), SETTINGS)["freeze_share"] == (None, "too_few_frames")


@pytest.mark.parametrize("box", [(200, 200, 300, 300), (0, 0, 8, 8), (-50, 0, 4, 100)])
def test_a_crop_of_a_few_pixels_has_no_sharpness(box: tuple[float, float, float, float]) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (100, 100, 3), dtype=np.uint8)

    assert np.isnan(face_sharpness(picture, box))
