"""Export: samples of one published snapshot become a data set on disk, whole or not at all.

Belongs here: the order of the work. Does not belong here: its parts (samples, splits, clip_store, records, writers,
card, releases), arguments and printing (commands/export.py).

Clips are cut into the lake's store, then the release is written beside its place and renamed. What a killed export has
cut is there for the next one; the copy that it was writing is begun anew.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speakervid_dag import __version__
from speakervid_dag.config.profiles import Profile, load_profile
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.files import sha256_of, write_bytes
from speakervid_dag.lake import own_output, session, snapshots
from speakervid_dag.lake.delta import DeltaLake
from speakervid_dag.lake.schemas import TAKEDOWNS
from speakervid_dag.media.cut import Encoding
from speakervid_dag.query import open_lake
from speakervid_dag.release import card, releases, splits
from speakervid_dag.release.clip_store import ClipStore, Missing, StoredClip
from speakervid_dag.release.records import record
from speakervid_dag.release.report_data import choose_profile
from speakervid_dag.release.samples import Sample, find_samples
from speakervid_dag.release.writers import Item, write

DEFAULT_SPLIT = "train=.9,val=.05,test=.05"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for; all of it but `workers` decides what the release is."""

    branch: str
    tiers: tuple[str, ...] = ("sft",)
    form: str = "hf"
    shares: Mapping[str, float] = field(default_factory=lambda: splits.parse_shares(DEFAULT_SPLIT))
    seed: int = 0
    limit: int | None = None
    is_cropped: bool = True
    encoding: Encoding = field(default_factory=Encoding)
    licence: str = card.UNSAID
    consent: str = card.UNSAID
    workers: int = 1


@dataclass(frozen=True)
class Release:
    """What an export made. `missing`: sample_id → reason; `was_there`: the folder held it already."""

    release_id: str
    place: Path
    statistics: list[dict[str, Any]]
    missing: Mapping[str, str]
    was_there: bool = False


def export(
    settings: Settings,
    request: Request,
    out: Path,
    *,
    profile: str | None = None,
    as_of: str | None = None,
    began: Callable[[int], None] = lambda count: None,
    advanced: Callable[[int], None] = lambda count: None,
) -> Release:
    """Makes the release in the folder `out`, which must not be there yet (or hold just this release).

    Args:
        profile: whose decisions; None takes the snapshot's.
        as_of: a snapshot's number or an ISO time; None is the newest.
        began, advanced: hear how many clips there are, and of clips as they are done.

    Raises:
        UserError: no lake, nothing published, no sample, `out` is taken.
        OSError: the disk is full, and the like; run it again to go on.
    """
    lake = open_lake(settings)
    snapshot = snapshots.latest(lake) if as_of is None else snapshots.as_of(lake, as_of)
    if snapshot is None:
        raise UserError("nothing is published in this lake yet: `speakervid run PATH…` ends with publishing a snapshot")
    asked, place = _profile(profile), out.expanduser().absolute()
    with session.open_session(lake, snapshot, read_only_user_sql=True) as con:
        name = choose_profile(con, asked.name if asked else profile, snapshot.profile)
        told = _told(request, snapshot.number, name)
        if (kept := _kept(place, told)) is not None:
            return kept
        bonds = list(session.query_file(con, "release/bonds", profile=name).iter_rows())
        split_of = splits.assign(bonds, request.shares, request.seed)
        samples = find_samples(con, request.branch, name, request.tiers, split_of, request.limit)
    if not samples:
        raise UserError(f"the branch {request.branch} has no {' or '.join(request.tiers)} samples under {name}")
    samples, missing = _allowed(lake, samples)
    specs = {spec.key: spec for sample in samples for _, spec in sample.clips}
    began(len(specs))
    store = ClipStore(settings.lake_dir, request.encoding, request.is_cropped)
    clips = store.cut_all(specs.values(), request.workers, advanced)
    items, lost = _items(samples, clips, request.encoding.fps)
    missing |= lost
    manifest = {
        "made_by": f"speakervid-dag {__version__}",
        "request": told,
        "licence": request.licence,
        "consent": request.consent,
        "models": card.models(lake, snapshot),
        "samples": releases.sample_entries(items),
        "missing": missing,
        "clip_count": sum(row["clips"] for row in card.statistics(items)),
        "duration_s": sum(r["duration"] for r in {r["key"]: r for i in items for _, _, r in i.clips}.values()),
    }
    release_id, digest = _write(settings.lake_dir, place, request.form, items, manifest, asked or _profile(name))
    releases.record(lake, manifest, release_id, digest, place)
    return Release(release_id, place, card.statistics(items), missing)


def _told(request: Request, snapshot: int, profile: str) -> dict[str, Any]:
    """The request as manifests hold it."""
    return {
        "snapshot": snapshot,
        "profile": profile,
        "branch": request.branch,
        "tiers": list(request.tiers),
        "format": request.form,
        "split": dict(request.shares),
        "seed": request.seed,
        "limit": request.limit,
        "is_cropped": request.is_cropped,
        "encoding": request.encoding.as_dict(),
    }


def _profile(name: str | None) -> Profile | None:
    """A profile by name or path; None where its file is not at hand: a lake may have been decided by another's."""
    try:
        return load_profile(name) if name else None
    except UserError:
        return None


def _kept(place: Path, told: Mapping[str, Any]) -> Release | None:
    """The release, where the folder holds just this one. Raises UserError where it holds anything else."""
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return None
    path = place / releases.MANIFEST
    manifest = json.loads(path.read_bytes()) if path.is_file() else {}
    if manifest.get("request") != told:
        raise UserError(f"{place} is taken: give --out a folder that is not there yet")
    release_id = "r" + sha256_of(path)[:16]
    return Release(release_id, place, manifest["statistics"], manifest["missing"], was_there=True)


def _allowed(lake: DeltaLake, samples: list[Sample]) -> tuple[list[Sample], dict[str, str]]:
    """The samples of which no source was taken down (older snapshots still show them); of the others, the reason."""
    gone = set(lake.read(TAKEDOWNS)["video_id"])
    allowed, missing = [], {}
    for sample in samples:
        found = next((spec.row for _, spec in sample.clips if spec.row["video_id"] in gone), None)
        if found is None:
            allowed.append(sample)
        else:
            missing[sample.sample_id] = f"taken_down: {found['video_id']}"
    return allowed, missing


def _items(
    samples: list[Sample], clips: Mapping[str, StoredClip | Missing], fps: float
) -> tuple[list[Item], dict[str, str]]:
    """The samples whose clips are all there; of the others, the reason."""
    items, missing = [], {}
    for sample in samples:
        cut, lost = [], None
        for part, spec in sample.clips:
            clip = clips[spec.key]
            if isinstance(clip, Missing):
                lost = f"{clip.reason}: {spec.row['source_name']}"
                break
            cut.append((part, clip, record(spec, clip, fps)))
        if lost is None:
            items.append(Item(sample.sample_id, sample.split, sample.facts, tuple(cut)))
        else:
            missing[sample.sample_id] = lost
    return items, missing


def _write(
    lake_dir: Path, place: Path, form: str, items: list[Item], manifest: dict[str, Any], profile: Profile | None
) -> tuple[str, str]:
    """Writes everything beside its place, then renames it there; gives (release_id, SHA-256 of the manifest)."""
    aside = place.with_name(f"{place.name}.partial")
    if aside.exists():
        shutil.rmtree(aside)
    aside.mkdir(parents=True)
    own_output.mark(aside, own_output.RELEASE_MARK)
    write(form, aside, items)
    manifest["statistics"] = card.statistics(items)
    write_bytes(aside / "README.md", card.render(manifest, items, profile).encode())
    manifest["files"] = releases.file_entries(aside)
    told = releases.write_manifest(lake_dir, aside, manifest)
    (aside / own_output.RELEASE_MARK).unlink()  # from here on the manifest tells
    if place.exists():
        place.rmdir()  # it is empty
    aside.rename(place)
    return told


def missing_counts(release: Release) -> dict[str, int]:
    """Reason and source → samples left out."""
    return dict(Counter(release.missing.values()).most_common())
