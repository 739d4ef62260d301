"""Histories of the whole product: its commands in processes of their own, on all tables, with real Dagster runs.

Belongs here: their rules and what must hold. Does not belong here: what stands in for models and media (stages.py).
"""

import shutil
from typing import Any

from histories.machine import FILMS, Fault, Machine, Processes, body, chances, faults, films, video_id
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

met = faults(150)
CLIPS = 4
REPLACED = FILMS  # film n replaced by other bytes of the same size is film n + REPLACED
WEIGHT = "centerface"


class Whole(Machine):
    do = "speakervid"
    steps = 6  # a run takes seconds

    def __init__(self, processes: Processes) -> None:
        super().__init__(processes)
        self.folder = self.home / "films"
        self.films: dict[str, int] = {}  # name in the folder → which film
        self.is_mounted = self.has_weights = True
        self.is_broken = False  # whether a stage gives rows that its audit refuses
        self.tried: set[int] = set()  # films that lay there when a run began: the lake may know them
        self.knows_places = False  # whether a run has looked since films were moved
        self.silver = self.gold = 0  # which of two profiles
        self.releases = 0
        self.torn: set[str] | None = None  # steps at which the canned rows themselves do not add up

    @initialize(number=films)
    def begin(self, number: int) -> None:
        (ended,) = self.processes.ask({"home": str(self.home), "lake": "", "do": "weights", "looks": False})
        assert ended.status == 0, ended.said
        self.write_profile()
        self.put(f"{number}.mp4", number)
        self.put("x.mp4", (number + 1) % FILMS)
        self.run(None)

    def write_profile(self) -> None:
        told = f"inherits: laptop\nname: laptop\nbinding: {{min_sync_s: 2.{self.silver}}}\n"
        told += f"branches: {{multi_turn_window_s: {30 + self.gold}}}\n"
        (self.home / "laptop.yaml").write_text(told)

    # -- the world ------------------------------------------------------------------------------------------------

    def put(self, name: str, number: int) -> None:
        (self.folder / name).write_bytes(body(number))
        self.films[name] = number
        self.done.append(f"{name} is film {number}")

    @precondition(lambda self: self.is_mounted)
    @rule(number=films)
    def add(self, number: int) -> None:
        self.put(f"{number}.mp4", number)

    @precondition(lambda self: self.is_mounted and self.films)
    @rule(chance=chances, how=st.sampled_from(["deleted", "renamed", "replaced"]))
    def change(self, chance: int, how: str) -> None:
        name = sorted(self.films)[chance % len(self.films)]
        number = self.films[name]
        if how == "replaced":
            self.put(name, (number + REPLACED) % (2 * REPLACED))
            return
        del self.films[name]
        if how == "deleted":
            (self.folder / name).unlink()
        else:
            (self.folder / name).rename(self.folder / f"r{name}")
            self.films[f"r{name}"] = number
            self.knows_places = False
        self.done.append(f"{name} is {how}")

    @rule()
    def move_films(self) -> None:
        if self.is_mounted:
            other = self.home / ("films2" if self.folder.name == "films" else "films")
            self.folder = self.folder.rename(other)
            self.knows_places = False
            self.done.append("the films are moved")

    @rule()
    def mount(self) -> None:
        away = self.home / "unmounted"
        if self.is_mounted:
            self.folder.rename(away)
        else:
            away.rename(self.folder)
        self.is_mounted = not self.is_mounted
        self.done.append("the films are " + ("mounted" if self.is_mounted else "unmounted"))

    @rule()
    def take_weights(self) -> None:
        here, away = self.home / "weights" / WEIGHT, self.home / "weights-away"
        here.rename(away) if self.has_weights else away.rename(here)
        self.has_weights = not self.has_weights
        self.done.append("the weights are " + ("back" if self.has_weights else "lost"))

    @rule()
    def change_code(self) -> None:
        broken = self.home / "broken"
        broken.unlink() if self.is_broken else broken.touch()
        self.is_broken = not self.is_broken
        self.done.append("a stage is " + ("broken" if self.is_broken else "mended"))

    @rule(copies=st.booleans())
    def move(self, copies: bool) -> None:
        self.move_lake(copies=copies)

    # -- commands -------------------------------------------------------------------------------------------------

    def present(self) -> set[int]:
        return set(self.films.values()) if self.is_mounted else set()

    def is_hindered(self) -> bool:
        """Whether a stage is broken, or something that the lake was made with is not at hand."""
        is_whole = self.is_mounted and self.has_weights and not self.is_broken
        return not is_whole or bool(self.tried - self.forgotten - self.present())

    def looking(self) -> tuple[Any, ...]:
        return ("snapshots",)

    @rule(fault=met)
    def run(self, fault: Fault) -> None:
        hindered = self.is_hindered()
        self.tried |= self.present()
        self._ran(self.act("run", str(self.folder), fault=fault).status, fault, hindered)

    @rule(number=films, fault=met)
    def grow(self, number: int, fault: Fault) -> None:
        if self.is_mounted:
            self.put(f"{number}.mp4", number)
            self.run(fault)

    @rule(fault=met)
    def change_silver(self, fault: Fault) -> None:
        self.silver = 1 - self.silver
        self.write_profile()
        self.run(fault)

    def _ran(self, status: int, fault: Fault, hindered: bool) -> None:
        assert status == 0 or fault or hindered or not self.present(), "failed, and nothing hindered it"
        if status == 0:
            shown = self.shown(self.seen)
            missing = self.present() - self.forgotten - self.half_forgotten - shown
            assert not missing, f"exit 0 without {missing}"
            self.published = shown - self.half_forgotten
            self.knows_places = True

    @rule(fault=met)
    def retier(self, fault: Fault) -> None:
        self.gold = 1 - self.gold
        self.write_profile()
        status = self.act("retier", fault=fault).status
        assert status == 0 or fault or self.tried - self.shown(self.seen) or self.is_hindered()

    @rule(number=st.integers(1, 3), fault=met)
    def retry_refused(self, number: int, fault: Fault) -> None:
        status = self.act("quarantine", "retry", f"b{number:06d}", fault=fault).status
        assert status in (0, 2) or fault or self.is_hindered(), "failed, and nothing hindered it"

    @precondition(lambda self: self.published)
    @rule(chance=chances, fault=met)
    def forget(self, chance: int, fault: Fault) -> None:
        number = sorted(self.published)[chance % len(self.published)]
        self.published.discard(number)
        self.half_forgotten.add(number)
        status = self.act("forget", video_id(number), "--apply", "--purge", fault=fault).status
        assert status == 0 or fault, "failed without a fault"
        if status == 0:
            self.half_forgotten.discard(number)
            self.forgotten.add(number)
            assert number not in self.shown(self.seen)

    @rule(fault=met)
    def maintain(self, fault: Fault) -> None:
        assert self.act("maintain", "--apply", fault=fault).status == 0 or fault, "failed without a fault"

    @rule(fault=met, again=st.booleans())
    def export(self, fault: Fault, again: bool) -> None:
        absent = self.shown(self.seen) - self.present()
        self.releases += not again or not self.releases
        out = self.home / f"release{self.releases}"
        how = ("--branch", "single", "--tier", "sft", "--format", "parquet", "--out", str(out))
        status = self.act("export", *how, fault=fault).status
        assert status == 0 or fault or absent or again or not self.knows_places or not self.shown(self.seen), (
            "failed without a fault"
        )
        if status == 0 and not again:
            for clip in out.rglob("*.mp4"):
                film = int(clip.read_bytes()[5:8])
                assert film not in self.forgotten, f"{clip} is of a film that was forgotten"
                assert clip.name.startswith(video_id(film)), f"{clip} is cut from film {film}"

    @rule()
    def read(self) -> None:
        (ended,) = self.processes.ask({**self._request("sql", "SELECT count(*) FROM clips"), "looks": False})
        assert ended.status == 0, ended.said

    @rule()
    def run_beside_another(self) -> None:
        hindered = self.is_hindered()
        self.tried |= self.present()
        for ended in self.act_twice("run", str(self.folder)):
            self._ran(ended.status, None, hindered)

    # -- what must hold -------------------------------------------------------------------------------------------

    def shown(self, seen: Any) -> set[int]:
        return {n for n in range(2 * REPLACED) if video_id(n) in seen["counts"].get("videos", {})}

    def check(self, seen: Any) -> None:
        super().check(seen)
        shown = self.shown(seen)
        assert self.published <= shown, f"lost: {self.published - shown}"
        assert not shown & self.forgotten, f"back again: {shown & self.forgotten}"
        counts = seen["counts"]
        for name, each in (
            ("videos", 1),
            ("face_tracks", 2),
            ("clips", CLIPS),
            ("clip_scores", CLIPS),
            ("tiers", CLIPS),
        ):
            assert counts.get(name, {}) == dict.fromkeys(counts.get("videos", {}), each), f"{name}: {counts}"
        for table, shades in seen["shades"].items():
            assert all(len(found) == 1 for found in shades.values()), f"{table} is of two profiles: {shades}"
        torn = {step["step"] for step in seen["funnel"] if not step["is_conserved"]}
        self.torn = torn if self.torn is None and seen["snapshot"] else self.torn
        assert torn <= (self.torn or set()), f"the funnel does not conserve: {torn}"

    def end(self) -> None:
        if not self.is_mounted:
            self.mount()
        if not self.has_weights:
            self.take_weights()
        if self.is_broken:
            self.change_code()
        for number in sorted(self.half_forgotten):
            self.half_forgotten.discard(number)
            assert self.act("forget", video_id(number), "--apply", "--purge").status == 0
            self.forgotten.add(number)
        for number in sorted(self.tried - self.forgotten - self.present()):
            self.put(f"back{number}.mp4", number)
        self.run(None)
        wanted = self.undisturbed()
        kept = {video_id(n) for n in self.present() - self.forgotten}
        for name, found in self.seen["digests"].items():
            expected = {video: digest for video, digest in wanted[name].items() if video in kept}
            assert found == expected, f"{name} differs from that of an undisturbed history"
        self.check_forgotten()

    def undisturbed(self) -> dict[str, dict[str, str]]:
        """By table and film the rows of a lake of all films that nothing happened to, under the same profile."""
        key = self.silver, self.gold
        if key not in self.processes.known:
            home = self.processes.home()
            for number in range(2 * REPLACED):
                (home / "films" / f"{number}.mp4").write_bytes(body(number))
            shutil.copytree(self.home / "weights", home / "weights")
            shutil.copy(self.home / "laptop.yaml", home)
            request = {
                "home": str(home),
                "lake": str(home / "lake"),
                "do": self.do,
                "args": ["run", str(home / "films")],
            }
            (ended,) = self.processes.ask(request)
            assert ended.status == 0, ended.said
            self.processes.known[key] = ended.seen["digests"]
        found: dict[str, dict[str, str]] = self.processes.known[key]
        return found
