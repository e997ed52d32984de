"""The ledger file: one total over several fits, hostile files, and processes that spend at the same time."""

import json
import multiprocessing
import os
import re
from datetime import UTC, datetime, timedelta

import pytest

from synthclin.dp.budget import Budget
from synthclin.dp.ledger_file import LedgerFile, _checksum
from synthclin.errors import ConfigError, SynthclinError

TOTAL = Budget(3.0, 1e-6)


def _written(folder):
    file = LedgerFile(folder / "ward.jsonl", TOTAL)
    file.spend(0.05, "first fit", "teaching")
    file.spend(0.1, "second fit", "a hackathon")
    return file


def test_fits_add_up_over_objects_and_lines_say_what_they_were(tmp_path):
    path = _written(tmp_path).path
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [set(line) for line in lines] == [
        {"title", "version", "epsilon", "delta", "rho", "check"},
        *[{"what", "rho", "purpose", "date", "check"}] * 2,
    ]
    assert (lines[0]["epsilon"], lines[0]["delta"], lines[0]["rho"]) == (3.0, 1e-6, TOTAL.rho)
    again = LedgerFile(path, Budget(3, 1e-6))
    assert [(one.what, one.rho, one.purpose) for one in again.entries] == [
        ("first fit", 0.05, "teaching"),
        ("second fit", 0.1, "a hackathon"),
    ]
    assert again.spent == pytest.approx(0.15)
    age = datetime.now(UTC) - datetime.strptime(again.entries[0].date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= age < timedelta(minutes=5)
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_before_the_first_entry(tmp_path):
    file = LedgerFile(tmp_path / "ward.jsonl", TOTAL)
    assert (file.entries, file.left, list(tmp_path.iterdir())) == ((), TOTAL.rho, [])
    file.spend(TOTAL.rho, "the only fit", "all at once")
    assert file.left == 0


def test_a_fit_beyond_the_total_is_refused_with_a_remedy_that_works(tmp_path):
    file = LedgerFile(tmp_path / "ward.jsonl", TOTAL)
    file.spend(Budget(2, 1e-6).rho, "first fit", "teaching")
    before = file.path.read_bytes()
    with pytest.raises(ConfigError, match=r"costs epsilon 2\.500, and the earlier fits leave epsilon") as caught:
        file.spend(Budget(2.5, 1e-6).rho, "second fit", "teaching")
    assert file.path.read_bytes() == before
    most = float(re.search(r"set epsilon to ([\d.]+)\.$", str(caught.value))[1])
    file.spend(Budget(most, 1e-6).rho, "second fit", "teaching")
    assert len(file.entries) == 2


@pytest.mark.parametrize("total", [Budget(5, 1e-6), Budget(3, 1e-5)])
def test_another_total_is_refused(tmp_path, total):
    path = _written(tmp_path).path
    with pytest.raises(ConfigError, match="the file has a total of epsilon 3 and delta 1e-06"):
        LedgerFile(path, total)


DAMAGES = {
    "empty": lambda _: [],
    "without the total": lambda lines: lines[1:],
    "an entry taken out": lambda lines: [lines[0], lines[2]],
    "entries in another order": lambda lines: [lines[0], lines[2], lines[1]],
    "a smaller cost": lambda lines: [lines[0], lines[1].replace('"rho": 0.05', '"rho": 0.01'), lines[2]],
    "a larger total": lambda lines: [lines[0].replace("3.0", "9.0"), *lines[1:]],
    "an entry twice": lambda lines: [*lines, lines[2]],
    "a list": lambda lines: [*lines, "[]"],
    "no keys": lambda lines: [*lines, "{}"],
    "null": lambda lines: [*lines, "null"],
    "not a number": lambda lines: [*lines, '{"rho": NaN}'],
    "infinite": lambda lines: [*lines, '{"rho": 1e999}'],
    "no JSON": lambda lines: [*lines, "no JSON"],
    "deep": lambda lines: [*lines, "[" * 100_000],
    "a key twice": lambda lines: [*lines, '{"what": "x", "what": "y"}'],
    "an empty line": lambda lines: [lines[0], "", *lines[1:]],
    "another line separator": lambda lines: [*lines, "\x85"],
}


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_refused_and_stays(tmp_path, change):
    file = _written(tmp_path)
    path = file.path
    lines = change(path.read_text().splitlines())
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    damaged = path.read_bytes()
    with pytest.raises(ConfigError, match=r"ward\.jsonl"):
        LedgerFile(path, TOTAL)
    with pytest.raises(ConfigError, match=r"ward\.jsonl"):
        file.spend(0.001, "third fit", "teaching")
    assert path.read_bytes() == damaged


def test_a_cut_line_is_refused(tmp_path):
    path = _written(tmp_path).path
    for size in range(0, len(whole := path.read_bytes()), 7):
        if whole[:size].endswith(b"\n") and size:
            continue  # a whole line less cannot be told from a shorter history
        path.write_bytes(whole[:size])
        with pytest.raises(ConfigError):
            LedgerFile(path, TOTAL)


@pytest.mark.parametrize(
    "content",
    [
        {"what": "fit", "rho": 9.0, "purpose": "p", "date": "2026-01-01T00:00:00Z"},  # above the total
        {"what": "fit", "rho": -0.1, "purpose": "p", "date": "2026-01-01T00:00:00Z"},
        {"what": "fit", "rho": "0.1", "purpose": "p", "date": "2026-01-01T00:00:00Z"},
        {"what": "fit", "rho": 0.1, "purpose": "p", "date": "yesterday"},
        {"what": "fit", "rho": 0.1, "purpose": 7, "date": "2026-01-01T00:00:00Z"},
        {"what": "fit", "rho": 0.1, "purpose": "p"},
        {"what": "fit", "rho": 0.1, "purpose": "p", "date": "2026-01-01T00:00:00Z", "more": 1},
    ],
)
def test_an_entry_with_a_right_checksum_and_wrong_content_is_refused(tmp_path, content):
    path = _written(tmp_path).path
    before = json.loads(path.read_text().splitlines()[-1])["check"]
    line = json.dumps(content | {"check": _checksum(before, content)})
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ConfigError, match="is damaged or was changed"):
        LedgerFile(path, TOTAL)


def test_places_that_are_no_file_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("pipe", "folder"):
        with pytest.raises(ConfigError):
            LedgerFile(tmp_path / name, TOTAL)
    for path in (tmp_path / "link", tmp_path / "absent" / "ward.jsonl"):
        with pytest.raises(SynthclinError):
            LedgerFile(path, TOTAL).spend(0.1, "fit", "teaching")


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / ".ward.jsonl.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="its lock file cannot be made"):
        LedgerFile(tmp_path / "ward.jsonl", TOTAL).spend(0.1, "fit", "teaching")
    assert not (tmp_path / "elsewhere").exists()


def _spend_often(path, start, results):
    file = LedgerFile(path, TOTAL)
    start.wait()
    done = 0
    for _ in range(15):
        try:
            file.spend(TOTAL.rho / 20, "a fit", "a race")
            done += 1
        except ConfigError:
            pass
    results.put(done)


def test_two_processes_cannot_spend_the_same_budget(tmp_path):
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(2), context.Queue()
    path = tmp_path / "ward.jsonl"
    workers = [context.Process(target=_spend_often, args=(path, start, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    done = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert sum(done) == len(LedgerFile(path, TOTAL).entries)
    assert sum(done) in {19, 20}  # 20 shares may exceed the total by rounding
