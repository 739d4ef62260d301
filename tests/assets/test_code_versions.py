"""A code version changes with what computes a stage's rows, and with nothing else."""

import ast
from dataclasses import replace

import polars as pl
import pytest

from speakervid_dag.assets.code_versions import CODE, Code, Definition, installed_source, sql_said
from speakervid_dag.assets.graph import recipes
from speakervid_dag.assets.recipes import StageRecipe
from speakervid_dag.lake.schemas import CLIPS, PEOPLE

ROOTS = {recipe.name: recipe.computed_by[0] for recipe in recipes().values() if isinstance(recipe, StageRecipe)}
CLOSURES = {name: CODE.closure(root) for name, root in ROOTS.items()}
SOUND = frozenset({"intake", "active_speaker", "speech_turns", "transcripts", "sync_scores", "clip_scores"})
MEDIA = SOUND | {"face_tracks"}

# -- the rules, on sources of a few lines ------------------------------------------------------------------------------

STAGE = "speakervid_dag.assets.some_stage"
HELP = "speakervid_dag.curation.helping"
SOURCES = {
    "speakervid_dag.curation": "",
    STAGE: """
from speakervid_dag.assets.recipes import makes
from speakervid_dag.curation import helping

SHARE = 0.5

@makes(sections=["clips"])
def stage(rows, settings):
    '''One row a clip.'''
    from speakervid_dag.curation.lazy import late
    return late([helping.halved(row, SHARE) for row in rows])
""",
    HELP: """
import numpy as np

LIMIT = 3
UNUSED = 4

def halved(row: int, share: float = LIMIT) -> float:
    # never more than the limit
    return np.minimum(row * share, LIMIT)

def other():
    return UNUSED
""",
    "speakervid_dag.curation.lazy": """
from speakervid_dag.lake.storage.delta import DeltaLake

def late(rows):
    run(["python", "-m", "speakervid_dag.media.decoding"])
    return sorted(rows)
""",
    "speakervid_dag.media.decoding": "RATE = 5\nprint(RATE)\n",
    "speakervid_dag.lake.storage.delta": "class DeltaLake:\n    pass\n",
    "speakervid_dag.assets.recipes": "def makes(**options):\n    return 1\n",
}
ROOT = Definition(STAGE, "stage")


def version(sources: dict[str, str], root: Definition = ROOT) -> str:
    return Code(sources.get).digest([root], [])


def edited(module: str, old: str, new: str) -> dict[str, str]:
    assert old in SOURCES[module]
    return {**SOURCES, module: SOURCES[module].replace(old, new)}


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (HELP, "    # never more than the limit\n", ""),
        (STAGE, "One row a clip", "A row a clip"),
        (HELP, "row: int, share: float", "row, share"),
        (HELP, "UNUSED = 4", "UNUSED = 5"),
        (HELP, "row * share, LIMIT", "(row * share), LIMIT"),
        (STAGE, "import helping\n", "import helping as aid\n"),
        (STAGE, 'sections=["clips"]', 'sections=["clips", "binding"]'),
        ("speakervid_dag.lake.storage.delta", "pass", "x = 1"),
        ("speakervid_dag.assets.recipes", "return 1", "return 2"),
    ],
)
def test_what_leaves_the_rows_as_they_are_leaves_the_version(module: str, old: str, new: str) -> None:
    sources = edited(module, old, new)
    sources[STAGE] = sources[STAGE].replace("helping.halved", "aid.halved") if "aid" in new else sources[STAGE]
    assert version(sources) == version(SOURCES)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (HELP, "LIMIT = 3", "LIMIT = 4"),
        (HELP, "np.minimum", "np.maximum"),
        (HELP, "= LIMIT", "= 7"),
        (STAGE, "SHARE = 0.5", "SHARE = 0.6"),
        ("speakervid_dag.curation.lazy", "sorted(rows)", "list(rows)"),
        ("speakervid_dag.media.decoding", "RATE = 5", "RATE = 6"),
        ("speakervid_dag.media.decoding", "print(RATE)", "print(-RATE)"),
    ],
)
def test_what_computes_rows_is_in_the_version(module: str, old: str, new: str) -> None:
    assert version(edited(module, old, new)) != version(SOURCES)


def test_neither_a_moved_module_nor_a_moved_definition_changes_a_version() -> None:
    moved = {"speakervid_dag.curation.clips.aid" if name == HELP else name: text for name, text in SOURCES.items()}
    moved["speakervid_dag.curation.clips"] = ""
    moved[STAGE] = SOURCES[STAGE].replace("curation import helping", "curation.clips import aid as helping")
    assert version(moved) == version(SOURCES)

    halves = {**SOURCES, "speakervid_dag.curation.limits_of_rows": "LIMIT = 3\n"}
    rest = SOURCES[HELP].replace("LIMIT = 3\n", "")
    halves[HELP] = f"from speakervid_dag.curation.limits_of_rows import LIMIT\n{rest}"
    assert version(halves) == version(SOURCES)

    elsewhere = {**SOURCES, "speakervid_dag.assets.another": SOURCES[STAGE], STAGE: ""}
    assert version(elsewhere, Definition("speakervid_dag.assets.another", "stage")) == version(SOURCES)


def test_a_local_name_is_not_the_modules() -> None:
    """A parameter that is called as a definition reaches nothing; its default, and another function, do."""
    text = "LIMIT = 3\n\ndef stage(LIMIT, most={}):\n    return [LIMIT for LIMIT in LIMIT] + [most]\n"
    hidden, seen = ({STAGE: text.format(value)} for value in ("4", "LIMIT"))
    changed = [{STAGE: source[STAGE].replace("LIMIT = 3", "LIMIT = 9")} for source in (hidden, seen)]
    assert version(hidden) == version(changed[0])
    assert version(seen) != version(changed[1])


def test_a_module_that_is_handed_on_counts_whole() -> None:
    text = "from speakervid_dag.curation import helping\n\ndef stage():\n    return compute(helping)\n"
    assert version({**SOURCES, STAGE: text}) != version({**edited(HELP, "UNUSED = 4", "UNUSED = 5"), STAGE: text})


def test_the_columns_of_its_tables_are_in_the_version_without_their_description() -> None:
    reworded = replace(PEOPLE, columns=tuple(replace(c, doc="another") for c in PEOPLE.columns))
    wider = replace(PEOPLE, columns=tuple(replace(c, dtype=pl.Int64) for c in PEOPLE.columns))
    asked = ((PEOPLE,), (reworded,), (wider,), (PEOPLE, CLIPS))
    plain, same, other, two = (CODE.digest([ROOTS["people"]], tables) for tables in asked)
    assert plain == same
    assert len({plain, other, two}) == 3


def test_sql_is_said_without_comments_and_layout() -> None:
    assert sql_said("-- what\nSELECT  a, -- not b\n  '--x  y' FROM \"t--1\"\n") == "SELECT a, '--x  y' FROM \"t--1\""


# -- the real graph ----------------------------------------------------------------------------------------------------


def numbers(definition: Definition) -> list[ast.Constant]:
    """Numbers that stand in a definition, but for those inside f-strings, whose place Python 3.11 does not tell."""
    module = CODE.module(definition.module)
    assert module is not None
    found, waiting = list[ast.Constant](), list[ast.AST](module.statements[definition.name])
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            found.append(node)
        elif not isinstance(node, ast.JoinedStr):
            waiting += ast.iter_child_nodes(node)
    return found


def with_number(definition: Definition) -> Code:
    """The code, but for the first number of a definition."""
    text, number = installed_source(definition.module), numbers(definition)[0]
    assert text is not None
    assert number.end_col_offset is not None
    lines = text.encode().splitlines(keepends=True)
    line = lines[number.lineno - 1]
    lines[number.lineno - 1] = line[: number.col_offset] + b"12345" + line[number.end_col_offset :]
    return CODE.with_module(definition.module, b"".join(lines).decode())


def stages_of(code: Code) -> set[str]:
    """Stages whose version is another one in this code."""
    return {name for name, root in ROOTS.items() if code.digest([root], []) != CODE.digest([root], [])}


REACHED = {d.module: d for d in sorted(frozenset[Definition]().union(*CLOSURES.values()), reverse=True) if numbers(d)}


@pytest.mark.parametrize("module", sorted(REACHED))
def test_a_changed_number_changes_exactly_the_stages_that_reach_it(module: str) -> None:
    definition = REACHED[module]
    found = stages_of(with_number(definition))
    assert found == {name for name, closure in CLOSURES.items() if definition in closure}
    assert found


@pytest.mark.parametrize(
    ("module", "name", "stages"),
    [
        ("assets.bronze", "with_failures", {"intake"}),
        ("assets.intake_rows", "verdict", {"intake"}),
        ("assets.silver_pictures", "shot_of", {"face_tracks"}),
        ("assets.silver_scores", "_looked_at", {"clip_scores"}),
        ("assets.backends", "face_mesh", {"face_tracks"}),
        ("assets.backends", "synchrony_backend", {"sync_scores"}),
        ("stages.sound", "sound_of", SOUND - {"intake"}),
        ("stages.sound", "chosen_sound", {"intake"}),
        ("stages.crops", "crops_of", {"active_speaker", "sync_scores"}),
        ("curation.joint.states", "emissions", {"speech_turns"}),
        ("curation.speaking.light_asd", "LightASDBackend", {"active_speaker"}),
        ("curation.speaking.bindings", "bind_stretches", {"speaker_bindings"}),
        ("stages.crops", "keep_crops", {"face_tracks"}),
        ("media.decoder.container", "describe", MEDIA),
        ("media.decoder.picture", "send_pictures", MEDIA),
        ("media.decoder.times", "RisingOrigin", MEDIA),
        ("media.decoder.sound_levels", "send_levels", MEDIA),
        ("curation.faces.people", "main_speaker", {"people", "clips"}),
        ("curation.faces.tracking", "ShotTracker", {"face_tracks"}),
        ("curation.speaking.lip_synchrony", "LipSynchrony", {"sync_scores"}),
        ("curation.intervals", "split_long", {"clips"}),
        ("models.mesh", "FaceMesh", {"face_tracks"}),
        ("models.vad", "speech_probabilities", {"intake", "speech_turns"}),
    ],
)
def test_what_computes_rows_belongs_to_its_stages(module: str, name: str, stages: set[str]) -> None:
    definition = Definition(f"speakervid_dag.{module}", name)
    assert {stage for stage, closure in CLOSURES.items() if definition in closure} == stages


@pytest.mark.parametrize(
    "module",
    [
        "lake.storage.delta",
        "config.sections.speaking",
        "stages.stage",
        "quality_checks.audit",
        "cli.console",
        "release.export",
    ],
)
def test_what_computes_no_rows_belongs_to_no_stage(module: str) -> None:
    name = f"speakervid_dag.{module}"
    assert not any(d.module == name for closure in CLOSURES.values() for d in closure)
    definition = next(d for d in CODE.definitions(name) if numbers(d))
    assert stages_of(with_number(definition)) == set()


def test_no_two_stages_are_computed_by_the_same_code(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        for name, closure in CLOSURES.items():
            print(f"\n{name:18} {len(closure):4} definitions of {len({d.module for d in closure})} modules", end="")  # noqa: T201
    assert len(ROOTS) == 11
    assert len(set(CLOSURES.values())) == len(CLOSURES)
