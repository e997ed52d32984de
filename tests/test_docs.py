"""README, documentation and notebooks: blocks of code run, links lead somewhere, tables are complete."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import yaml

from synthclin import datasets
from synthclin.cli import main
from synthclin.cli.app import COMMANDS, SCHEMA_COMMANDS
from synthclin.dp.parameters import DifferentialPrivacy
from synthclin.evaluation import scoring, validity
from synthclin.evaluation.catalogue import FAMILIES, KINDS, headline_kinds, kind_of
from synthclin.evaluation.fidelity import detection, marginals
from synthclin.evaluation.kind import RelativeLimit
from synthclin.evaluation.score_names import SURVIVAL_HEADLINES, hazard_names, survival_names, within
from synthclin.models import MODELS, private_training
from synthclin.models.families import gan
from synthclin.models.generator.training import plan_for, private_plan
from synthclin.models.parameters import parameter_fields
from synthclin.report.record.release import Release
from synthclin.schema import Schema
from synthclin.schema.columns import AnyColumn, Column
from synthclin.study import config
from synthclin.study.config import adam, blocks, sweep

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
_BLOCK = re.compile(r"^(<!-- no test: .+ -->\n)?```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks_of(page, language):
    """The blocks of a language on a page that are to be tested, in order."""
    found = _BLOCK.findall(page.read_text("utf-8"))
    return [text for exempt, written, text in found if written == language and not exempt]


def heading_links(text):
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    text = page.read_text("utf-8")
    links = re.findall(r"\]\((?!https?:)([^)]+)\)|(?:src|href)=\"(?!https?:)([^\"]+)\"", text)
    for link in filter(None, (one or other for one, other in links)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in heading_links(target.read_text("utf-8")), link


@pytest.mark.parametrize(
    "page",
    [page for page in TEXTS if page.name != "CHANGELOG.md"],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_texts_use_the_terms_of_the_glossary(page):
    private = re.compile(
        r"\b(told from|learnt|planted|coin toss|spike-in|draw[ns]?|set aside|held[- ]out|posing as|fresh (real )?rows|"
        r"unused patients|vulnerable tenth|short sight|learn a secret|false alarms|ridges?|tilts?|laws?)\b"
    )
    assert private.findall(page.read_text("utf-8")) == []


def test_the_readme_is_short_and_its_pictures_are_small():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 200_000
        assert picture.suffix != ".svg" or "<script" not in picture.read_text("utf-8")


def test_every_page_is_in_the_index():
    listed = set(re.findall(r"\]\(([\w./-]+)\)", (ROOT / "docs" / "index.md").read_text("utf-8")))
    assert {page.name for page in PAGES[1:]} - {"index.md"} <= listed
    assert {f"notebooks/{path.name}" for path in NOTEBOOKS} <= listed


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A few patients and scores, and a table `ward.csv`: that an example runs does not take all of them."""
    whole = datasets.load

    def load(name):
        table, schema = whole(name)
        return table.sample(160, random_state=1).reset_index(drop=True), schema

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.setattr(scoring, "SCORES", (validity.rules, marginals.marginals, detection.detection))
    monkeypatch.setattr(detection, "_REPEATS", 1)
    monkeypatch.setattr(gan, "plan_for", lambda *size: dataclasses.replace(plan_for(*size), epochs=8))
    monkeypatch.setattr(gan, "private_plan", lambda rows: dataclasses.replace(private_plan(rows), epochs=1))
    monkeypatch.setattr(private_training, "FITTED_ROWS", 2_000)
    monkeypatch.chdir(tmp_path)
    load("heart_disease")[0].to_csv("ward.csv", index=False)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page, "python")], ids=lambda page: page.stem)
def test_python_blocks_run(page):
    names = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=DeprecationWarning, module="__main__")
        for text in blocks_of(page, "python"):
            exec(compile(text, str(page), "exec"), names)


STUDY = yaml.safe_load(blocks_of(ROOT / "docs" / "yaml.md", "yaml")[0])


@pytest.mark.parametrize(
    "text",
    [pytest.param(text, id=f"{page.stem}-{i}") for page in PAGES for i, text in enumerate(blocks_of(page, "yaml"))],
)
def test_yaml_blocks_are_studies_schemas_or_parts_of_a_study(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("schema.yaml").write_text("columns: {age: {type: integer}, num: {type: boolean}}", "utf-8")
    written = yaml.safe_load(text)
    if "columns" in written:
        Path("block.yaml").write_text(text, "utf-8")
        assert Schema.read("block.yaml").columns
    elif "sweep" in written:
        Path("block.yaml").write_text(text, "utf-8")
        Path("study.yaml").write_text(yaml.safe_dump(STUDY), "utf-8")
        assert len(config.load_sweep("block.yaml").cells) == 9
    elif "version" in written:
        Path("block.yaml").write_text(text, "utf-8")
        assert config.load("block.yaml").name
    else:
        Path("block.yaml").write_text(yaml.safe_dump(STUDY | written), "utf-8")
        assert config.load("block.yaml").name


def test_yaml_names_every_key_of_a_study():
    page = (ROOT / "docs" / "yaml.md").read_text("utf-8")
    for block in (blocks.Config, *(getattr(blocks, name) for name in ("Data", "Protect", "Sampling"))):
        assert [key for key, field in block.model_fields.items() if f"`{field.alias or key}`" not in page] == []
    assert [key for key in DifferentialPrivacy.model_fields if f"`dp.{key}`" not in page] == []
    private = (ROOT / "docs" / "differential-privacy.md").read_text("utf-8")
    assert [key for key in DifferentialPrivacy.model_fields if f"| `{key}` |" not in private] == []
    assert [key for key in sweep.Grid.model_fields if f"| `sweep.{key}` |" not in page] == []
    assert [key for key in (*sweep.SweepConfig.model_fields, *sweep.SweepOutputs.model_fields) if key not in page] == []
    release = (ROOT / "docs" / "release.md").read_text("utf-8")
    assert [key for key in Release.model_fields if f"| `{key}` |" not in release] == []
    for block in (blocks.EvaluationBlock, blocks.Privacy, blocks.Outputs):
        assert [key for key in block.model_fields if f"`{key}`" not in page] == []
    trials = (ROOT / "docs" / "trials.md").read_text("utf-8")
    assert [key for key in adam.Adam.model_fields if f"| `adam.{key}` |" not in trials] == []
    assert [key for key in adam.AdamEndpoint.model_fields if f"`{key}`" not in trials] == []
    assert [key for key in adam.AdamVariable.model_fields if f"{key}: " not in trials] == []
    parameters = set(config.load(ROOT / "configs" / "heart_disease.yaml").model.parameters) | {"type"}
    assert [key for key in parameters if f"`{key}`" not in page] == []


def test_the_page_of_families_names_each_family_and_its_parameters():
    page = (ROOT / "docs" / "families.md").read_text("utf-8") + (ROOT / "docs" / "yaml.md").read_text("utf-8")
    shared = {"random_state", "rare_category", "trim_extremes"}
    for name, family in MODELS.items():
        assert f"| `{name}` | `{family.__name__}` |" in page
        assert [key for key in parameter_fields(family) if f"`{key}`" not in page and key not in shared] == []


def test_the_schema_page_names_every_type_and_key():
    page = (ROOT / "docs" / "schema.md").read_text("utf-8")
    kinds = AnyColumn.__origin__.__args__
    assert [kind for kind in kinds if f"| `{kind.model_fields['type'].default}` |" not in page] == []
    keys = set(Column.model_fields).union(*(kind.model_fields for kind in kinds)) - {"type"}
    assert [key for key in keys if f"`{key}`" not in page] == []


def score_rows():
    """The rows of the tables of scores: name -> direction, default gate."""
    text = (ROOT / "docs" / "scores.md").read_text("utf-8")
    found = re.findall(r"^\| `([\w.]+)` \| (higher|lower) \| ([^|]+) \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    assert len({name for name, *_ in found}) == len(found)
    return {name: (better, gate) for name, better, gate in found}


PLACES = {
    "utility.": ("TARGET",),
    "calibration.": ("TARGET",),
    "importance.": ("TARGET",),
    "classification.": ("TARGET",),
    "treatment.": ("TASK.TARGET",),
    "inference.": ("TASK.TARGET",),
    "survival.": tuple(n.removeprefix("survival.") for n in (*survival_names("EVENT"), *hazard_names("EVENT"))),
    "subgroups.": (
        *(within("COLUMN", kind.name).removeprefix("subgroups.") for kind in headline_kinds()),
        *(f"COLUMN.{measure}.EVENT" for measure in SURVIVAL_HEADLINES),
        "COLUMN.TASK.TARGET",
        "COLUMN.representation",
        "COLUMN.prevalence.TARGET",
        "COLUMN.utility.TARGET",
    ),
}
"""The rest of each name of a family on the page of scores."""


def kinds_by_row():
    """The kind of each row of the tables of scores, whose placeholders stand for one task."""
    families = {f"{one.prefix}{place}": one.prefix + place for one in FAMILIES for place in PLACES[one.prefix]}
    return {kind.name: kind for kind in KINDS} | {
        row: kind_of(name.replace("TASK", "linear")) for row, name in families.items()
    }


def test_scores_lists_every_score():
    assert set(score_rows()) == set(kinds_by_row())


def test_scores_have_the_direction_and_the_default_gate_of_the_library():
    rows = score_rows()
    for name, kind in kinds_by_row().items():
        better, written = rows[name]
        assert better == kind.better, name
        if isinstance(kind.limit, RelativeLimit):
            assert written == kind.limit.text, name
            continue
        limit = kind.limit
        wanted = "none" if limit is None else f"{limit.op} {limit.limit:g}; {limit.op} {limit.review:g}"
        assert written == wanted + ("; only where it raises an alarm" if limit is not None and limit.alarm else ""), (
            name
        )


def test_the_cli_page_names_commands_and_options_that_exist(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    listing = (ROOT / "docs" / "cli.md").read_text("utf-8").split("```")[1].strip()
    listed = []
    for line in listing.splitlines():
        (command,) = re.findall(r"^synthclin ((?:schema )?[a-z-]+)", line)
        listed.append(command)
        assert main([*command.split(), "--help"]) == 0
        shown = capsys.readouterr().out
        assert [option for option in re.findall(r"(?<=[ \[])--?[a-z][a-z-]*", line) if option not in shown] == []
    assert sorted(set(listed)) == sorted([*COMMANDS, *(f"schema {name}" for name in SCHEMA_COMMANDS)])


def test_the_glossary_is_a_table_of_distinct_terms():
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", (ROOT / "docs" / "glossary.md").read_text("utf-8"), re.MULTILINE)
    terms = [term for term, _ in rows if term != "term"]
    assert len(set(terms)) == len(terms) > 40


@functools.cache
def cells(path, kind):
    notebook = json.loads(path.read_text("utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


# Few patients, epochs and scores: that a notebook runs does not take all of them.
FEW = """
def few():
    import dataclasses
    from synthclin import datasets
    from synthclin.evaluation.fidelity import detection, marginals, pairs
    from synthclin.evaluation import scoring
    from synthclin.models.families import gan
    from synthclin.models.generator.training import plan_for
    whole = datasets.load

    def load(name):
        table, schema = whole(name)
        return table.sample(300, random_state=1).reset_index(drop=True), schema

    datasets.load = load
    scoring.SCORES = marginals.marginals, pairs.pairs, detection.detection
    detection._REPEATS = 1
    gan.plan_for = lambda *size: dataclasses.replace(plan_for(*size), epochs=8)

import sys
few()
for path in sys.argv[1:]:
    exec(compile(open(path, encoding="utf-8").read(), path, "exec"), {"__name__": "__main__"})
    print("done")
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(path):
    notebook = json.loads(path.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert all(not cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert cells(path, "markdown")[0].startswith("# ")


def test_notebooks_run_from_top_to_bottom(tmp_path):
    """Each with names of its own, in one process, since to import the libraries takes longer than the cells."""
    programs = [tmp_path / f"{path.stem}.py" for path in NOTEBOOKS]
    for path, program in zip(NOTEBOOKS, programs, strict=True):
        program.write_text("\n\n".join(cells(path, "code")), "utf-8")
    run = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", FEW, *programs]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done\n") == len(NOTEBOOKS)


def test_there_are_three_notebooks():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03"]
