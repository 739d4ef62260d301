"""Training material of the lip network: which clips, who is seen, under which licence, and who is held out.

Belongs here: reading a folder's MANIFEST.tsv, or a folder without one, and the split by person. Does not belong here:
pictures and sound (tracks.py).
"""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from speakervid_dag.failures import UserError

MANIFEST = "MANIFEST.tsv"
NONE_STATED = "none stated"
# a licence whose text has one of these words does not allow commercial use
_NOT_COMMERCIAL = ("non-commercial", "noncommercial", "-nc-", "-nc ", "research", "cc by-nc")
_FIXED_PHRASES = ("fixed phrases", "one word", "one sentence", "one syllable", "single words")
_MEDIA = (".mp4", ".mkv", ".mov", ".avi", ".mpg", ".mpeg", ".webm", ".m4v", ".ts")


@dataclass(frozen=True)
class Clip:
    """One media file in which (mostly) one person talks.

    Attributes:
        path: the file.
        person: who is seen; clips of one person are never split between training and held-out people.
        source: where it comes from, for the card.
        licence: as stated by its source; `none stated` if that says nothing.
        sha256: of the file.
        has_fixed_phrases: it comes from a corpus of prescribed words or sentences.
    """

    path: Path
    person: str
    source: str
    licence: str
    sha256: str
    has_fixed_phrases: bool

    @property
    def is_commercial_ok(self) -> bool:
        """Return whether the stated licence permits commercial use; a licence that is not stated does not forbid it."""
        return not any(word in self.licence.lower() for word in _NOT_COMMERCIAL)

    @property
    def is_licence_stated(self) -> bool:
        return self.licence != NONE_STATED


def read_clips(folder: Path) -> list[Clip]:
    """Return the clips of a folder in order of their names.

    With a MANIFEST.tsv: its rows (file, person, repo, commit, path, sha256, note, licence). Without one: every media
    file, each of another person, licence `none stated`; a subfolder is one person.

    Raises:
        UserError: no clips, or a file of the manifest is missing or has another hash.
    """
    manifest = folder / MANIFEST
    clips = _listed(folder, manifest) if manifest.is_file() else _found(folder)
    if not clips:
        raise UserError(f"no media files in {folder}")
    return sorted(clips, key=lambda clip: clip.path.name)


def _listed(folder: Path, manifest: Path) -> list[Clip]:
    from speakervid_dag.files import sha256_of

    clips = []
    with manifest.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            path = folder / row["file"]
            if not path.is_file():
                raise UserError(f"{manifest} lists {row['file']}, which is missing")
            found = sha256_of(path)
            if row.get("sha256") and row["sha256"] != found:
                raise UserError(f"{row['file']} has another hash than {manifest} says")
            source = " ".join(filter(None, (row.get("repo"), row.get("commit"), row.get("path"))))
            is_fixed = any(words in (row.get("note") or "") for words in _FIXED_PHRASES)
            licence = row.get("licence") or NONE_STATED
            clips.append(Clip(path, row["person"], source, licence, found, is_fixed))
    return clips


def _found(folder: Path) -> list[Clip]:
    from speakervid_dag.files import sha256_of

    clips = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in _MEDIA and p.is_file()):
        name = str(path.relative_to(folder))
        person = name if path.parent == folder else str(path.parent.relative_to(folder))
        clips.append(Clip(path, person, name, NONE_STATED, sha256_of(path), has_fixed_phrases=False))
    return clips


def held_out_people(people: Iterable[str], count: int) -> list[str]:
    """Return the `count` people whose names have the lowest SHA-256, sorted by name: always the same ones."""
    by_hash = sorted(set(people), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return sorted(by_hash[:count])


def halves(people: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return people in two halves of equal size, by hash, for estimates of one half by networks of the other."""
    by_hash = sorted(set(people), key=lambda name: hashlib.sha256(f"half {name}".encode()).hexdigest())
    return sorted(by_hash[::2]), sorted(by_hash[1::2])


def of_people(clips: Sequence[Clip], people: Iterable[str]) -> list[Clip]:
    """Return the clips of these people."""
    chosen = set(people)
    return [clip for clip in clips if clip.person in chosen]
