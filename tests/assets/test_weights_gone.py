"""Weights that made what is published are gone or damaged: nothing is computed, nothing published is lost."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest
from house import B1, B2, CANNED_WEIGHTS, House

from speakervid_dag.assets import backends
from speakervid_dag.assets import weights as checked
from speakervid_dag.assets.graph import recipes
from speakervid_dag.assets.staleness import stale_batches
from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.lake.artifacts import weights_record
from speakervid_dag.lake.schemas import CLIP_SCORES
from speakervid_dag.lake.used_weights import remember, used_weights
from speakervid_dag.models import registry, vad
from speakervid_dag.models.registry import WeightFile
from speakervid_dag.runs import instance as instances
from speakervid_dag.runs.retier import retier
from speakervid_dag.stages.stage import Stage

pytestmark = pytest.mark.heavy

BOTH = (B1, B2)
WAS = CANNED_WEIGHTS["dnsmos"]


@pytest.fixture
def without_dnsmos(house: House) -> House:
    """The lake was made with weights of dnsmos, which this machine has no longer."""
    house.weights["dnsmos"] = "missing"
    return house


def test_weights_that_are_gone_stop_a_run_before_it_computes(without_dnsmos: House) -> None:
    house = without_dnsmos
    before = house.versions()
    assert used_weights(house.settings.lake_dir)["dnsmos"] == WAS
    assert stale_batches(house.lakehouse, BOTH) == {}, "what is absent is not new"
    with pytest.raises(WeightsUnusable) as told:
        house.run()
    assert {"dnsmos", str(registry.weights_dir()), registry.WEIGHTS_ENV} <= set(
        str(told.value).replace(":", " ").split()
    )
    assert "speakervid models pull dnsmos" in str(told.value)
    house.change_profile(binding={"min_sync_s": 123.0})  # much is stale now
    with pytest.raises(WeightsUnusable):
        house.run("b000003")
    why = house.execute("curate", ["clip_scores"], B1)  # as the UI and the daemon do
    assert why is not None
    assert "models pull dnsmos" in why
    assert house.versions() == before


def test_gold_of_stored_scores_needs_no_weights(without_dnsmos: House) -> None:
    made = retier(without_dnsmos.settings)
    assert made.failure is None
    assert made.batches == BOTH


def test_a_loss_that_was_asked_for_is_published_and_mended_by_the_return(without_dnsmos: House) -> None:
    house = without_dnsmos
    usual = house.settings
    with pytest.raises(WeightsUnusable):
        house.run()
    house.settings = usual.model_copy(update={"allow_loss": True})
    assert house.execute("curate", ["clip_scores"], B1) is None
    version = house.lake.version(CLIP_SCORES)
    assert version is not None
    assert "dnsmos=missing" in house.lake.history(CLIP_SCORES, version)[0]["weights"]
    house.settings = usual
    with pytest.raises(WeightsUnusable):  # the lake knows of them still
        house.run()
    house.weights["dnsmos"] = WAS
    assert "clip_scores" in stale_batches(house.lakehouse, BOTH)[B1]


@pytest.mark.parametrize("record", [None, b"", b'{"dnsmos": 1}'])
def test_a_lake_without_a_record_asks_its_commits(without_dnsmos: House, record: bytes | None) -> None:
    file = weights_record(without_dnsmos.settings.lake_dir)
    file.unlink()
    if record is not None:
        file.write_bytes(record)
    with pytest.raises(WeightsUnusable, match="dnsmos"):
        checked.require_weights(without_dnsmos.lakehouse, recipes().values())
    assert used_weights(without_dnsmos.settings.lake_dir)["dnsmos"] == WAS


def test_weights_taken_away_while_a_stage_computes_cost_the_run_and_no_rows(house: House) -> None:
    def take(stage: Stage, _: dict[str, pl.DataFrame]) -> None:
        if stage.name == "clip_scores":
            stage._keep("v", {}, {"status": "ok"})  # a video that was finished without them, maybe
            house.weights["dnsmos"] = "missing"

    house.weights["dnsmos"] = "h" * 64
    house.breaks = take
    before = house.lake.version(CLIP_SCORES)
    report = house.run()
    assert set(report.failed) == {B1}
    assert house.lake.version(CLIP_SCORES) == before
    assert not list(house.settings.lake_dir.glob("artifacts/checkpoints/clip_scores/*/*"))


def test_what_today_s_profile_and_settings_do_not_need_may_be_gone(house: House, tmp_path: Path) -> None:
    gone = {"dover": "h", "centerface": "h", "dlib_face": "h", "of-an-older-package": "h"}
    remember(house.settings.lake_dir, gone, "run")
    house.weights |= dict.fromkeys(gone, "missing")
    with pytest.raises(WeightsUnusable, match="centerface dlib_face dover"):
        checked.require_weights(house.lakehouse, recipes().values())
    house.change_profile(scores={"video_quality": "off"})
    pack = tmp_path / "pack"
    house.settings = house.settings.model_copy(update={"face_pack": pack})
    with instances.lake_instance(house.settings):  # settings reach a lakehouse through the environment
        with pytest.raises(WeightsUnusable, match="SPEAKERVID_FACE_PACK"):  # though the lake never had it
            checked.require_weights(house.lakehouse, recipes().values())
        pack.mkdir()
        (pack / "det.onnx").write_bytes(b"network")
        (found,) = [s for n, s in checked.states(house.lakehouse, recipes()["face_tracks"]).items() if n == "face_pack"]
        remember(house.settings.lake_dir, {"face_pack": found}, "run")
        checked.require_weights(house.lakehouse, recipes().values())
        (pack / "det.onnx").unlink()
        with pytest.raises(WeightsUnusable, match="SPEAKERVID_FACE_PACK"):
            checked.require_weights(house.lakehouse, recipes().values())


def test_a_lip_network_of_the_users_own_takes_the_place_of_the_packaged_one(house: House, tmp_path: Path) -> None:
    own = tmp_path / "lips.safetensors"
    house.settings = house.settings.model_copy(update={"lip_network": own})
    with instances.lake_instance(house.settings):
        with pytest.raises(WeightsUnusable, match=r"SPEAKERVID_LIP_NETWORK.*lips\.safetensors"):
            checked.require_weights(house.lakehouse, recipes().values())
        own.write_bytes(b"network")
        checked.require_weights(house.lakehouse, recipes().values())
        for name in ("active_speaker", "sync_scores"):
            told = checked.states(house.lakehouse, recipes()[name])
            assert told["own-lip-network"] == hashlib.sha256(b"network").hexdigest()
            assert "lip-network" not in told
        assert set(stale_batches(house.lakehouse, BOTH)) == {B1, B2}


def test_a_damaged_installation_says_how_to_get_the_lip_network_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(house.settings.lake_dir, {"lip-network": "h"}, "run")
    monkeypatch.setattr("speakervid_dag.models.lip_network.package_state", lambda: "missing")
    with pytest.raises(WeightsUnusable, match="lip-network: install the package speakervid-dag again"):
        checked.require_weights(house.lakehouse, recipes().values())


def test_a_face_pack_that_is_not_there_takes_nothing_away(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong path, or a drive that is not mounted: every face would be lost, and every clip with them."""
    before = house.versions()
    monkeypatch.setenv("SPEAKERVID_FACE_PACK", str(tmp_path / "absent"))
    house.settings = house.settings.model_copy(update={"face_pack": tmp_path / "absent"})
    with pytest.raises(WeightsUnusable, match="absent"):
        house.run()
    assert house.versions() == before


def test_voices_fall_back_to_ge2e_only_where_the_others_were_never_there(house: House) -> None:
    def needed() -> set[str]:
        with instances.lake_instance(house.settings):  # settings reach a lakehouse through the environment
            return set(backends.speech_weights(house.lakehouse)) - {f"{vad.NAME}@{vad.package_state()}"}

    both = set(backends.LOCAL_VOICES)
    assert house.weights["light-asd"] == "missing"
    assert needed() == both, "the packaged network looks at faces"
    house.weights["campplus"] = "missing"
    assert needed() == both, "the lake's rows were made with it: that is refused, and nothing else is used"
    with pytest.raises(WeightsUnusable, match="models pull campplus"):
        house.run()
    record = weights_record(house.settings.lake_dir)
    record.write_text(json.dumps({n: e for n, e in json.loads(record.read_text()).items() if n != "campplus"}))
    assert needed() == {*both, "resemblyzer"}


def test_weights_the_lake_never_had_stay_missing_and_their_arrival_makes_rows_anew(house: House) -> None:
    assert house.weights["dover"] == "missing"
    assert "dover" not in used_weights(house.settings.lake_dir)
    assert house.run().did_nothing
    house.weights["dover"] = "h" * 64
    assert "clip_scores" in stale_batches(house.lakehouse, BOTH)[B1]


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small weights under the default names of the registry, in a folder of their own."""
    content = b"right"
    pinned = (WeightFile(filename="a", sha256=hashlib.sha256(content).hexdigest(), sources=("file:/x",)),)
    entries = {n: w.model_copy(update={"files": pinned}) for n, w in registry.load_registry().items()}
    monkeypatch.setattr(registry, "load_registry", lambda: entries)
    monkeypatch.setenv(registry.WEIGHTS_ENV, str(tmp_path / "weights"))
    for name in registry.names_of("default"):
        (tmp_path / "weights" / name).mkdir(parents=True)
        (tmp_path / "weights" / name / "a").write_bytes(content)
    return tmp_path / "weights"


def test_damaged_weights_stop_a_run_before_it_computes(house: House, fakes: Path) -> None:
    assert house.run().did_nothing
    before = house.versions()
    (fakes / "dlib_face" / "a").write_bytes(b"Right")
    assert stale_batches(house.lakehouse, BOTH) == {}
    for allow_loss in (False, True):
        house.settings = house.settings.model_copy(update={"allow_loss": allow_loss})
        with pytest.raises(WeightsUnusable, match=r"dlib_face/a.*models pull dlib_face"):
            house.run()
    why = house.execute("curate", ["face_tracks", "frame_series", "poses"], B1)
    assert why is not None
    assert "models pull dlib_face" in why
    assert house.versions() == before
