"""What a log shows of a long stage, and what it does not."""

import pytest

from synthclin import progress
from synthclin.progress import quiet, track


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_short_stage_leaves_no_line(capsys, clock):
    with track("training", total=90) as step:
        for _ in range(9):
            clock[0] += 1
            step(10, note="1.5 nats")
    assert capsys.readouterr().err == ""


def test_a_long_stage_leaves_a_line_every_ten_seconds_and_one_at_its_end(capsys, clock):
    with track("training", total=100, unit="epochs") as step:
        for epoch in range(24):
            clock[0] += 1
            step(1, note=f"{epoch} nats")
    assert capsys.readouterr().err.splitlines() == [
        "training 10/100 epochs, 1.0 epochs/s, 90 s left, 9 nats",
        "training 20/100 epochs, 1.0 epochs/s, 80 s left, 19 nats",
        "training 24/24 epochs, 1.0 epochs/s, 23 nats",
    ]


def test_what_was_done_before_counts_but_not_in_the_rate(capsys, clock):
    with track("training", total=100, done=50) as step:
        clock[0] += 20
        step(10)
    assert capsys.readouterr().err.splitlines()[0] == "training 60/100 steps, 0.5 steps/s, 80 s left"


def test_a_note_stays_until_the_next(capsys, clock):
    with track("fine-tuning", total=3) as step:
        step(0, note="critic right on 55% of pairs")
        clock[0] += 11
        step(1)
    assert "1/3 steps, 0.1 steps/s, 22 s left, critic right on 55% of pairs\n" in capsys.readouterr().err


def test_slow_steps_are_counted_by_the_hour(capsys, clock):
    with track("sweep", total=3, unit="cells") as step:
        clock[0] += 90
        step(1)
    assert "sweep 1/3 cells, 40 cells/h, 180 s left\n" in capsys.readouterr().err


def test_the_last_step_is_reported_once(capsys, clock):
    with track("scoring", total=2) as step:
        for _ in range(2):
            clock[0] += 10
            step(1)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_quiet_is_quiet(capsys, clock):
    with quiet(), track("training", total=3) as step:
        clock[0] += 100
        step(1)
    assert capsys.readouterr().err == ""


def test_a_stage_that_fails_has_no_last_line(capsys, clock):
    def fail():
        with track("training", total=3) as step:
            clock[0] += 11
            step(1)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert len(capsys.readouterr().err.splitlines()) == 1
