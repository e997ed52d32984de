"""Messages on stderr: a line of text for people, or one JSON object a line, whatever else is written there."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from synthclin import log

ONE_OF_EACH = [
    log.Begin("run", "0.1.0"),
    log.StageBegin("fit"),
    log.StageEnd("fit", 12.3456789),
    log.Progress("training", 24, 100, "epochs", 1.0, 76.0, "1.5 nats"),
    log.Note("the training starts, without a checkpoint"),
    log.Warned("column 'age'", "is odd", "Look at it."),
    log.Error("ward.csv", "is absent", "Check the path.", 2, "DataError"),
    log.End(2, 1.5),
]


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_one_of_each_event_in_both_formats(capsys):
    for event in ONE_OF_EACH:
        log.emit(event)
    assert capsys.readouterr().err.splitlines() == [
        "training 24/100 epochs, 1.0 epochs/s, 76 s left, 1.5 nats",
        "the training starts, without a checkpoint",
        "warning: column 'age': is odd. Look at it.",
        "error: ward.csv: is absent. Check the path.",
    ]
    with log.json_lines():
        for event in ONE_OF_EACH:
            log.emit(event)
    found = lines(capsys)
    assert [line["event"] for line in found] == [kind.event for kind in log.EVENTS]
    assert [line["level"] for line in found] == ["info"] * 5 + ["warning", "error", "info"]
    assert found[2]["seconds"] == 12.3457
    assert found[3] | {"task": "training", "done": 24, "total": 100, "rate": 1.0, "seconds_left": 76.0} == found[3]
    for line in found:
        assert line["time"].endswith("Z")
        assert abs(dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(line["time"])).total_seconds() < 60


def test_a_line_has_the_types_that_its_schema_names():
    schema = log.line_schema()
    for event, kind in zip(ONE_OF_EACH, schema["anyOf"], strict=True):
        line = json.loads(log._line(event))
        assert kind["required"] == list(line) == list(kind["properties"])
        assert (kind["properties"]["event"]["const"], kind["properties"]["level"]["const"]) == (
            event.event,
            event.level,
        )
        fields = {key: value for key, value in line.items() if key not in {"time", "level", "event"}}
        assert isinstance(TypeAdapter(type(event)).validate_json(json.dumps(fields), strict=True), type(event))


@given(st.text())
def test_any_text_is_one_ascii_line_that_comes_back_whole(text):
    line = log._line(log.Warned(text, text, text))
    assert line.isascii()
    assert line.count("\n") == 1
    assert json.loads(line)["where"] == text


def test_quiet_drops_all_but_errors(capsys):
    with log.json_lines(), log.quiet():
        for event in ONE_OF_EACH:
            log.emit(event)
    assert [line["event"] for line in lines(capsys)] == ["error"]


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_log_that_is_full_stops_nothing(kind):
    command = [sys.executable, "-m", "synthclin.cli", "schema", "json", "log", "--log-format", kind]
    with Path("/dev/full").open("wb", buffering=0) as full:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, check=True)
    assert json.loads(done.stdout)["anyOf"]


NOISE = """
import os, subprocess, sys, warnings
from synthclin import log
from synthclin.parallel import run_all

def job():
    os.write(2, b"from C\\n")
    print("from Python", file=sys.stderr)
    log.emit(log.Note("of a worker " * 300))

with log.json_lines():
    os.write(2, b"from C\\n")
    print("from Python", file=sys.stderr)
    warnings.warn("odd")
    subprocess.run([sys.executable, "-c", "import sys; sys.exit('from a child')"])
    run_all([job] * 40, workers=3)
print("as before", file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="jobs run in one process where processes cannot fork")
def test_what_libraries_and_other_processes_write_is_dropped():
    done = subprocess.run([sys.executable, "-c", NOISE], capture_output=True, text=True, check=True)
    *written, last = done.stderr.splitlines()
    assert last == "as before"
    assert [json.loads(line)["event"] for line in written] == ["warning"] + ["note"] * 40
