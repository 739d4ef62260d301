"""The three forms of a release on disk: Hugging Face, WebDataset, Parquet with files beside it.

Belongs here: file layouts. Does not belong here: contents of samples (samples, records), card and manifest.

All are written with polars, pyarrow and the standard library; `datasets` and `webdataset` only read them. Names on disk
are lake ids. A sample is never split over shards.
"""

import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.release.clip_store import StoredClip

FORMATS = ("hf", "webdataset", "parquet")
SHARD_BYTES = 256 * 2**20
ROWS_A_GROUP = 16  # a reader's unit: a few dozen megabytes

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """One sample to write: its name, split, facts, and clips by part."""

    sample_id: str
    split: str
    facts: Row
    clips: tuple[tuple[str, StoredClip, Row], ...]  # part, clip, record

    @property
    def size_bytes(self) -> int:
        return sum(p.stat().st_size for _, c, _ in self.clips for p in (c.video, c.sound) if p is not None)


def write(form: str, folder: Path, items: Sequence[Item]) -> None:
    """Write the samples under `folder`, in their order.

    Raises:
        OSError: for example, the disk is full.
    """
    writer = {"hf": _write_hf, "webdataset": _write_webdataset, "parquet": _write_parquet}[form]
    writer(folder, items)


def _shards(items: Sequence[Item]) -> Iterator[tuple[str, int, int, list[Item]]]:
    """Yield (split, number, shards of that split, samples): at most SHARD_BYTES of media, at least one sample."""
    for split in dict.fromkeys(item.split for item in items):
        shards: list[list[Item]] = []
        room = 0
        for item in (i for i in items if i.split == split):
            size = item.size_bytes
            if not shards or size > room:
                shards.append([])
                room = SHARD_BYTES
            shards[-1].append(item)
            room -= size
        for number, shard in enumerate(shards):
            yield split, number, len(shards), shard


def _write_hf(folder: Path, items: Sequence[Item]) -> None:
    """Write data/SPLIT-NNNNN-of-NNNNN.parquet: one row per sample, with videos and sounds embedded as library features.

    A clip's columns are named by its part in the sample; turns of a session are lists.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "data").mkdir()
    for split, number, count, shard in _shards(items):
        schema = _hf_schema(shard[0])
        features = {name: _hf_feature(name, dtype) for name, dtype in zip(schema.names, schema.types, strict=True)}
        told = json.dumps({"info": {"features": features}})
        table = pa.Table.from_pylist([_hf_row(item) for item in shard], schema.with_metadata({"huggingface": told}))
        path = folder / "data" / f"{split}-{number:05d}-of-{count:05d}.parquet"
        pq.write_table(table, path, row_group_size=ROWS_A_GROUP, compression="none")  # media are compressed already


def _is_session(item: Item) -> bool:
    return item.clips[0][0].startswith("turn_")


def _hf_row(item: Item) -> dict[str, Any]:
    row: dict[str, Any] = {"sample_id": item.sample_id, "annotation": json.dumps(item.facts, ensure_ascii=False)}
    told = [(part, _embedded(c.video), _embedded(c.sound), record) for part, c, record in item.clips]
    if _is_session(item):
        row |= {"videos": [v for _, v, _, _ in told], "audios": [a for _, _, a, _ in told]}
        return row | {"clips": [json.dumps(r, ensure_ascii=False) for _, _, _, r in told]}
    for part, video, sound, record in told:
        prefix = "" if len(told) == 1 else f"{part}_"
        row |= {f"{prefix}video": video, f"{prefix}audio": sound, f"{prefix}text": record["text"]}
        row |= {f"{prefix}{name}": record[name] for name in ("key", "identity_id", "language", "duration")}
        row[f"{prefix}clip"] = json.dumps(record, ensure_ascii=False)
    return row


def _hf_schema(item: Item) -> Any:
    """Return the pyarrow schema; `datasets` reads the features in the file only if the types match its own exactly."""
    import pyarrow as pa

    media, text = pa.struct({"bytes": pa.binary(), "path": pa.string()}), pa.string()
    schema = {"sample_id": text, "annotation": text}
    if _is_session(item):
        return pa.schema(schema | {"videos": pa.list_(media), "audios": pa.list_(media), "clips": pa.list_(text)})
    for part, _, _ in item.clips:
        prefix = "" if len(item.clips) == 1 else f"{part}_"
        schema |= {f"{prefix}video": media, f"{prefix}audio": media, f"{prefix}text": text}
        schema |= {f"{prefix}{name}": text for name in ("key", "identity_id", "language")}
        schema |= {f"{prefix}duration": pa.float64(), f"{prefix}clip": text}
    return pa.schema(schema)


def _hf_feature(name: str, dtype: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_list(dtype):
        return {"_type": "List", "feature": _hf_feature(name, dtype.value_type)}
    if pa.types.is_struct(dtype):
        return {"_type": "Video" if "video" in name else "Audio"}
    return {"_type": "Value", "dtype": "float64" if dtype == pa.float64() else "string"}


def _embedded(path: Path | None) -> dict[str, Any] | None:
    return None if path is None else {"bytes": path.read_bytes(), "path": path.name}


def _write_webdataset(folder: Path, items: Sequence[Item]) -> None:
    """Write SPLIT-NNNNNN.tar: SAMPLE.json, SAMPLE.mp4 and SAMPLE.wav; with several clips, SAMPLE.PART.mp4 …"""
    for split, number, _, shard in _shards(items):
        with tarfile.open(folder / f"{split}-{number:06d}.tar", "w", format=tarfile.PAX_FORMAT) as tar:
            for item in shard:
                told = {**item.facts, "sample_id": item.sample_id, "clips": {p: r for p, _, r in item.clips}}
                _add(tar, f"{item.sample_id}.json", json.dumps(told, ensure_ascii=False).encode())
                for part, clip, _ in item.clips:
                    stem = item.sample_id if len(item.clips) == 1 else f"{item.sample_id}.{part}"
                    _add(tar, f"{stem}.mp4", clip.video.read_bytes())
                    if clip.sound is not None:
                        _add(tar, f"{stem}.wav", clip.sound.read_bytes())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # no owner, no time: the same samples give the same bytes
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, io.BytesIO(data))


def _write_parquet(folder: Path, items: Sequence[Item]) -> None:
    """Write clips/KEY.mp4, .wav, .json (the papers' fields), samples.parquet, clips.parquet, talkvid.json (a list)."""
    (folder / "clips").mkdir()
    records: dict[str, Row] = {}
    rows, clips = [], []
    for item in items:
        parts = {part: record["key"] for part, _, record in item.clips}
        rows.append(
            {
                "sample_id": item.sample_id,
                "split": item.split,
                "parts": list(parts),
                "clip_keys": list(parts.values()),
                "annotation": json.dumps(item.facts, ensure_ascii=False),
            }
        )
        for _, clip, record in item.clips:
            key = record["key"]
            if key in records:
                continue
            records[key] = record
            _place(clip.video, folder / "clips" / f"{key}.mp4")
            if clip.sound is not None:
                _place(clip.sound, folder / "clips" / f"{key}.wav")
            (folder / "clips" / f"{key}.json").write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
            flat = {k: v for k, v in record.items() if not isinstance(v, dict | list)}
            scores = {k: v["value"] for k, v in record["scores"].items()}
            statuses = {f"{k}_status": v["status"] for k, v in record["scores"].items()}
            places = {"video": f"clips/{key}.mp4", "audio": f"clips/{key}.wav" if clip.sound else None}
            clips.append({**flat, **places, "split": item.split, "speakers": record["speaker"], **scores, **statuses})
    pl.DataFrame(rows).write_parquet(folder / "samples.parquet")
    pl.DataFrame(clips, infer_schema_length=None).write_parquet(folder / "clips.parquet")
    told = [record["talkvid"] for record in records.values()]
    (folder / "talkvid.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")


def _place(source: Path, target: Path) -> None:
    """Place a hard link, which needs no disk space, or a copy on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
