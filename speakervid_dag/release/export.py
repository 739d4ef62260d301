"""Export of samples of one published snapshot as a data set on disk, whole or not at all.

Belongs here: the order of the steps. Does not belong here: the steps (samples, splits, split_book, clip_store, records,
writers, card, folder, releases), arguments and printing (cli/export.py).

Clips are cut into the lake's store; then the release is written beside its target folder and renamed. After a killed
export, the next one reuses the cut clips and rewrites the rest.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speakervid_dag.config.profiles import Profile, load_profile
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.files import write_bytes
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.queries.published import choose_profile, open_lake, published_snapshot
from speakervid_dag.lake.schemas import TAKEDOWNS
from speakervid_dag.lake.sources import REASONS, Sources
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.upkeep.takedown import videos_of
from speakervid_dag.release import card, folder, releases, split_book
from speakervid_dag.release.clip_store import ClipStore, Missing, StoredClip
from speakervid_dag.release.records import record
from speakervid_dag.release.request import Request
from speakervid_dag.release.samples import ReleaseSample, find_samples
from speakervid_dag.release.split_book import Moved
from speakervid_dag.release.writers import Item, write
from speakervid_dag.stages.progress import Tally
from speakervid_dag.version import VERSION


@dataclass(frozen=True)
class Release:
    """Result of an export.

    Attributes:
        release_id: None: no sample was available, and nothing was written.
        missing: sample_id → reason.
        moved: people in another split than in an earlier export.
        was_there: the folder already held it.
        aside: the new path of the release that was there before.
    """

    release_id: str | None
    place: Path
    statistics: list[dict[str, Any]]
    missing: Mapping[str, str]
    moved: Sequence[Moved] = ()
    was_there: bool = False
    aside: Path | None = None


def export(
    settings: Settings,
    request: Request,
    out: Path,
    *,
    profile: str | None = None,
    as_of: str | None = None,
    by_hash: bool = False,
    tally: Tally | None = None,
) -> Release:
    """Write the release to the folder `out`, which must not exist yet (or hold exactly this release).

    A release that lacks samples because their sources were missing is rewritten if more are available now.

    Args:
        profile: whose decisions to use; None: the snapshot's.
        as_of: a snapshot's number or an ISO time; None is the newest.
        by_hash: compare the files of an existing release by hash, not only by size.
        tally: receives progress on checked sources and on clips.

    Raises:
        UserError: no lake, nothing published, no sample, `out` is taken, or is inside a lake or a release.
        OperationError: the existing release is damaged or holds a taken-down video; a video was taken down meanwhile.
        OSError: for example, the disk is full; rerun to continue.
    """
    lake = open_lake(settings.lake_dir)
    snapshot = published_snapshot(lake, as_of)
    place = folder.place_outside(out)
    with folder.claimed(settings.lake_dir, place):
        with session.open_session(lake, snapshot, read_only_user_sql=True, statistics=()) as con:
            asked = _profile(profile)
            name = choose_profile(con, asked.name if asked else profile, snapshot.profile)
            told = request.told(snapshot.number, name)
            there = _there(lake, settings.lake_dir, place, {**told, **request.card}, by_hash)
            if there is not None and not _may_grow(there):
                return _as_it_was(there)
            bonds = session.query_file(con, "release/bonds", profile=name).iter_rows()
            spec = split_book.Spec(request.shares, request.seed)
            split_of, moved = split_book.place(lake, con, bonds, spec, snapshot.number)
            samples = find_samples(con, request.branch, name, request.tiers, split_of, request.limit)
        if not samples:
            raise UserError(f"the branch {request.branch} has no {' or '.join(request.tiers)} samples under {name}")
        items, missing = _cut(lake, settings.lake_dir, request, samples, tally)
        if there is not None and there.manifest["samples"] and not _names(items) > set(there.manifest["samples"]):
            return _as_it_was(there)
        if not items:
            return Release(None, place, [], missing, moved)
        about = {"request": told, **request.card, "models": card.models(lake, snapshot), "missing": missing}
        manifest = {**about, **_contents(items)}
        digest, aside = _write(lake, settings.lake_dir, place, there, items, manifest, asked or _profile(name))
        return Release(releases.id_of(digest), place, manifest["statistics"], missing, moved, aside=aside)


def _contents(items: list[Item]) -> dict[str, Any]:
    """Return the manifest's entries on samples, without their files."""
    statistics = card.statistics(items)
    return {
        "made_by": f"speakervid-dag {VERSION}",
        "samples": releases.sample_entries(items),
        "people": releases.people_entries(items),
        "statistics": statistics,
        "clip_count": sum(row["clips"] for row in statistics),
        "duration_s": sum(r["duration"] for r in {r["key"]: r for i in items for _, _, r in i.clips}.values()),
    }


def _profile(name: str | None) -> Profile | None:
    """Return a profile by name or path; None if its file is missing: another machine's profile may have been used."""
    try:
        return load_profile(name) if name else None
    except UserError:
        return None


def _there(lake: DeltaLake, lake_dir: Path, place: Path, asked: Mapping[str, Any], by_hash: bool) -> folder.Held | None:
    """Return the release if the folder holds exactly this one, complete; record it if an interrupted export had not.

    Raises:
        UserError: the folder holds anything else.
        OperationError: it is damaged, or holds a video that was taken down.
    """
    found = folder.held(place)
    if found is None:
        return None
    was = releases.requested(found.manifest)
    if differing := releases.differing(was, asked):
        told = f"it holds release {found.release_id} of another request ({', '.join(differing)})"
        raise UserError(f"{place} is taken: {told}; give --out a folder that does not exist")
    if gone := sorted(videos_of(found.manifest) & _taken_down(lake)):
        told = f"holds {', '.join(gone)}, which this lake has forgotten"
        raise OperationError(f"the release in {place} {told}: withdraw it, delete the folder, and export again")
    folder.check(found, lake_dir, by_hash=by_hash)
    releases.record(lake, found.manifest, found.digest, place)
    return found


def _may_grow(there: folder.Held) -> bool:
    """Return whether samples are missing for a reason that may no longer hold."""
    return any(reason.partition(":")[0] in REASONS for reason in there.manifest["missing"].values())


def _as_it_was(there: folder.Held) -> Release:
    return Release(
        there.release_id, there.place, there.manifest["statistics"], there.manifest["missing"], was_there=True
    )


def _names(items: Iterable[Item]) -> set[str]:
    return {item.sample_id for item in items}


def _cut(
    lake: DeltaLake, lake_dir: Path, request: Request, samples: list[ReleaseSample], tally: Tally | None
) -> tuple[list[Item], dict[str, str]]:
    """Return the samples with their clips, and the reason for each missing sample."""
    samples, missing = _allowed(lake, samples)
    specs = {spec.key: spec for sample in samples for _, spec in sample.clips}
    store = ClipStore(lake_dir, request.encoding, request.is_cropped)
    clips = store.cut_all(specs.values(), Sources.of(BatchBook(lake_dir)), request.workers, tally)
    items, lost = _items(samples, clips, request.encoding.fps)
    return items, missing | lost


def _taken_down(lake: DeltaLake) -> set[str]:
    return set(lake.read(TAKEDOWNS)["video_id"])


def _allowed(lake: DeltaLake, samples: list[ReleaseSample]) -> tuple[list[ReleaseSample], dict[str, str]]:
    """Return the samples without a taken-down source (older snapshots still show those); for the others, the reason."""
    gone = _taken_down(lake)
    allowed, missing = [], {}
    for sample in samples:
        found = next((spec.row for _, spec in sample.clips if spec.row["video_id"] in gone), None)
        if found is None:
            allowed.append(sample)
        else:
            missing[sample.sample_id] = f"taken_down: {found['video_id']}"
    return allowed, missing


def _items(
    samples: list[ReleaseSample], clips: Mapping[str, StoredClip | Missing], fps: float
) -> tuple[list[Item], dict[str, str]]:
    """Return the samples whose clips are all there; for the others, the reason."""
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
    lake: DeltaLake,
    lake_dir: Path,
    place: Path,
    there: folder.Held | None,
    items: list[Item],
    manifest: dict[str, Any],
    profile: Profile | None,
) -> tuple[str, Path | None]:
    """Write everything beside `place`, then rename it; return the manifest's SHA-256 and a replaced release's new path.

    The lake keeps the manifest first, so that `forget` finds it wherever this is interrupted. The row in `releases`
    holds the release's path, so it comes last. A release that a fuller one replaces is moved aside.
    """
    with folder.beside(place) as draft:
        write(manifest["request"]["format"], draft, items)
        write_bytes(draft / "README.md", card.render(manifest, items, profile).encode())
        manifest["files"] = releases.file_entries(draft)
        if gone := sorted(videos_of(manifest) & _taken_down(lake)):
            _remove_cut(lake_dir, gone)
            raise OperationError(f"{', '.join(gone)} was taken down meanwhile: rerun the command")
        digest = releases.write_manifest(lake_dir, draft, manifest)
        folder.unmark(draft)  # from here on the manifest identifies it
        folder.sync(draft)
        aside = None
        if there is not None:
            aside = folder.set_aside(there)
            releases.record(lake, there.manifest, there.digest, aside)
            place.rename(aside)
        folder.put(draft, place)
    releases.record(lake, manifest, digest, place)
    return digest, aside


def _remove_cut(lake_dir: Path, video_ids: Iterable[str]) -> None:
    """Remove clips that this export cut from videos after their artifacts were removed."""
    for video_id in video_ids:
        for path in (lake_dir / "artifacts" / "clips").rglob(f"{video_id}-*"):
            path.unlink()


def missing_counts(release: Release) -> dict[str, int]:
    """Return reason and source → number of samples left out."""
    return dict(Counter(release.missing.values()).most_common())
