"""Files and folders that are there in full or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, NoReturn, Self

import pytest

from synthclin.errors import DataError, ModelFormatError, OutputError
from synthclin.io.files import PARTIAL, inside, private_folder, refuse_taken, sha256, staged_folder, write_atomic

OLD = '{"versions": {"synthclin": "0.1.0"}}'


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def fail(code: int) -> Any:
    def failing(*_: object, **__: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return failing


def test_a_file_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_atomic(path, "größe\r\n")
    assert path.read_bytes() == "größe\r\n".encode()
    assert mode(path) == 0o600
    write_atomic(path, b"\x00\x01", mode=0o644)
    assert path.read_bytes() == b"\x00\x01"
    assert mode(path) == 0o644
    with pytest.raises(OutputError, match="exists already"):
        write_atomic(path, "new", overwrite=False)
    assert everything(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_failing_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, code: int
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    monkeypatch.setattr(os, function, fail(code))
    with pytest.raises(OutputError, match=r"a\.csv: cannot be written"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert everything(tmp_path) == ["a.csv"]


def test_a_disk_that_fills_up_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdopen

    def full(*arguments: Any, **words: Any) -> Any:
        file = real(*arguments, **words)

        class Full:
            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def write(self, data: bytes) -> int:
                file.write(data[: len(data) // 2])
                file.flush()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return Full()

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_atomic(tmp_path / "a.csv", "x" * 10_000)
    assert everything(tmp_path) == []


def test_an_interrupt_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.csv", "x")
    assert everything(tmp_path) == []


def test_files_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("absent")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = everything(tmp_path)
    for name in ("link", "dangling", "folder", "pipe", "absent/a.csv", "real/a.csv", "x" * 300):
        with pytest.raises(OutputError):
            write_atomic(tmp_path / name, "new")
    for name, text in (("a.csv", "\ud800"), ("a\0b", "text")):
        with pytest.raises(OutputError, match="not Unicode"):
            write_atomic(tmp_path / name, text)
    assert everything(tmp_path) == before
    assert (tmp_path / "real").read_text() == "old"


def test_a_folder_is_there_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "deep" / "study-1"
    with staged_folder(target) as stage:
        assert mode(stage) == 0o700
        assert stage.parent == target.parent
        assert stage.name.startswith(".study-1.partial-")
        assert not target.exists()
        (stage / "plots").mkdir()
        write_atomic(stage / "plots" / "a.svg", "<svg/>")
    assert everything(tmp_path) == [
        "runs",
        "runs/deep",
        "runs/deep/study-1",
        "runs/deep/study-1/plots",
        "runs/deep/study-1/plots/a.svg",
    ]
    assert mode(target) == 0o700


def fill_and_fail(target: Path, failure: BaseException, *, overwrite: bool = False) -> None:
    with staged_folder(target, overwrite) as stage:
        (stage / "plots").mkdir()
        (stage / "plots" / "a.svg").write_text("half")
        raise failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
def test_a_block_that_fails_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure):
        fill_and_fail(tmp_path / "runs" / "study", failure())
    assert everything(tmp_path) == []


def test_a_full_disk_inside_the_block_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left"):
        fill_and_fail(tmp_path / "study", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    # What the block cannot read is not about the folder.
    with pytest.raises(FileNotFoundError):
        fill_and_fail(tmp_path / "study", FileNotFoundError(errno.ENOENT, "gone"))
    assert everything(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_a_folder_that_cannot_be_made_leaves_no_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr("tempfile.mkdtemp", fail(code))
    with pytest.raises(OutputError, match="cannot be written"), staged_folder(tmp_path / "runs" / "study"):
        pytest.fail("the block ran")
    assert everything(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="where you may write"), staged_folder(tmp_path / "study"):
        pytest.fail("the block ran")
    with pytest.raises(OutputError, match="where you may write"):
        write_atomic(tmp_path / "a.csv", "x")
    tmp_path.chmod(0o700)


def test_an_existing_folder_is_replaced_only_when_asked_and_ours(tmp_path: Path) -> None:
    target = tmp_path / "study"
    target.mkdir()
    with pytest.raises(OutputError, match="add --overwrite"), staged_folder(target):
        pytest.fail("the block ran")
    with staged_folder(target, overwrite=True) as stage:
        (stage / "manifest.json").write_text(OLD)
    with staged_folder(target, overwrite=True) as stage:
        (stage / "new").write_text("new")
    assert everything(tmp_path) == ["study", "study/new"]
    for name, content in (("thesis.tex", "years of work"), ("manifest.json", '{"name": "a web page"}')):
        shutil.rmtree(target)
        target.mkdir()
        (target / name).write_text(content)
        with (
            pytest.raises(OutputError, match="holds files that are no output of synthclin"),
            staged_folder(target, overwrite=True),
        ):
            pytest.fail("the block ran")
        assert everything(tmp_path) == ["study", f"study/{name}"]


def test_a_block_that_fails_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "study"
    target.mkdir()
    (target / "model.json").write_text(OLD)
    with pytest.raises(KeyboardInterrupt):
        fill_and_fail(target, KeyboardInterrupt(), overwrite=True)
    assert everything(tmp_path) == ["study", "study/model.json"]


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "bad disk"), KeyboardInterrupt()])
@pytest.mark.parametrize("move", [1, 2])
def test_a_swap_that_fails_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, move: int
) -> None:
    target = tmp_path / "study"
    target.mkdir()
    (target / "model.json").write_text(OLD)
    real, moves = os.rename, []

    def rename(*arguments: Any, **words: Any) -> None:
        moves.append(arguments)
        if len(moves) == move:
            raise failure
        real(*arguments, **words)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises((OutputError, KeyboardInterrupt)), staged_folder(target, overwrite=True) as stage:
        (stage / "new").write_text("new")
    assert everything(tmp_path) == ["study", "study/model.json"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_target_taken_meanwhile_is_kept(tmp_path: Path, overwrite: bool) -> None:
    target = tmp_path / "study"

    def theirs(_: Path) -> None:
        target.mkdir()
        (target / "theirs").write_text("theirs")

    with pytest.raises(OutputError), staged_folder(target, overwrite) as stage:
        theirs(stage)
    assert everything(tmp_path) == ["study", "study/theirs"]


def test_folders_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    before = everything(tmp_path)
    for name in ("file", "link", "file/study", "x" * 300, "a\0b"):
        with pytest.raises(OutputError), staged_folder(tmp_path / name, overwrite=True):
            pytest.fail("the block ran")
    with pytest.raises(OutputError), staged_folder("/", overwrite=True):
        pytest.fail("the block ran")
    assert everything(tmp_path) == before


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(tmp_path: Path, sent: signal.Signals) -> None:
    script = textwrap.dedent(
        """
        import signal, sys, time
        from synthclin.io.files import staged_folder
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
        with staged_folder(sys.argv[1]) as stage:
            (stage / "weights").write_text("half")
            print("ready", flush=True)
            time.sleep(60)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "runs" / "study")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(sent)
        process.communicate(timeout=50)
    assert process.returncode != 0
    assert everything(tmp_path) == []


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(DataError, match="cannot be read"):
        sha256(tmp_path / "absent")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/../../b", "/etc/passwd", "C:\\a", "C:a", "a\\..\\b", "a\0b", "link/a", "to_file"]
)
def test_names_that_lead_out_of_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/tmp")
    (tmp_path / "to_file").symlink_to("a")
    with pytest.raises(ModelFormatError):
        inside(tmp_path, name, ModelFormatError)


def test_names_that_stay_inside(tmp_path: Path) -> None:
    assert inside(tmp_path, "tables/a.csv") == tmp_path / "tables" / "a.csv"
    with pytest.raises(OutputError):
        inside(tmp_path, "../a")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_reads_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with staged_folder(tmp_path / "runs" / "study") as stage:
            private_folder(stage / "cohorts")
            write_atomic(stage / "cohorts" / "a.csv", "x")
        private_folder(tmp_path / "kept")
    finally:
        os.umask(before)
    folders = [tmp_path / name for name in ("runs", "runs/study", "runs/study/cohorts", "kept")]
    assert {mode(folder) for folder in folders} == {0o700}
    assert mode(tmp_path / "runs" / "study" / "cohorts" / "a.csv") == 0o600


def killed_inside(target: Path) -> None:
    """Fill a stage in another process and kill that process, which cannot clean up."""
    script = textwrap.dedent(
        """
        import os, signal, sys
        from synthclin.io.files import staged_folder
        with staged_folder(sys.argv[1], overwrite=True) as stage:
            (stage / "weights").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script, str(target)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL


def test_what_a_killed_process_left_is_gone_after_the_next_run(tmp_path: Path) -> None:
    killed_inside(tmp_path / "study")
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".study.partial-")
    (tmp_path / ".study.notes").mkdir()
    (tmp_path / ".study2.partial-x").mkdir()
    with staged_folder(tmp_path / "study") as stage:
        (stage / "new").write_text("new")
    assert everything(tmp_path) == [".study.notes", ".study2.partial-x", "study", "study/new"]


def test_a_folder_that_is_being_filled_is_left_alone(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "study") as first:
        with pytest.raises(KeyboardInterrupt):
            fill_and_fail(tmp_path / "study", KeyboardInterrupt())
        assert first.is_dir()


def killed_while_writing(target: Path) -> Path:
    """Write a file in another process and kill that process when half of it is there; returns the half."""
    script = textwrap.dedent(
        """
        import os, signal, sys
        from synthclin.io.files import write_atomic
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
        write_atomic(sys.argv[1], "half of a patient")
        """
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script, str(target)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = target.parent.glob(PARTIAL)
    return left


def test_half_a_file_of_a_killed_process_is_gone_after_the_next_write(tmp_path: Path) -> None:
    left = killed_while_writing(tmp_path / "a.csv")
    assert left.read_text() == "half of a patient"
    assert mode(left) == 0o600
    write_atomic(tmp_path / "b.csv", "whole")
    assert everything(tmp_path) == ["b.csv"]


def test_half_a_file_of_a_living_process_of_a_stranger_or_of_none_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = threading.Event(), threading.Event()
    real = os.fsync

    def slow(handle: int) -> None:
        real(handle)
        if threading.current_thread() is not threading.main_thread():
            first.set()
            assert second.wait(10)

    monkeypatch.setattr(os, "fsync", slow)
    writer = threading.Thread(target=write_atomic, args=(tmp_path / "slow.csv", "slow"))
    writer.start()
    assert first.wait(10)
    (tmp_path / ".synthclin-new.partial").touch()  # made a moment ago, not yet claimed
    os.mkfifo(tmp_path / ".synthclin-pipe.partial")
    (tmp_path / ".synthclin-folder.partial").mkdir()
    (tmp_path / "thesis").write_text("years")
    (tmp_path / ".synthclin-link.partial").symlink_to("thesis")
    write_atomic(tmp_path / "fast.csv", "fast")
    second.set()
    writer.join(10)
    assert (tmp_path / "slow.csv").read_text() == "slow"
    kept = {".synthclin-new.partial", ".synthclin-pipe.partial", ".synthclin-folder.partial", ".synthclin-link.partial"}
    assert set(everything(tmp_path)) == kept | {"slow.csv", "fast.csv", "thesis"}
    (tmp_path / ".synthclin-theirs.partial").write_text("half")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    write_atomic(tmp_path / "fast.csv", "again")
    assert (tmp_path / ".synthclin-theirs.partial").exists()
    monkeypatch.undo()
    os.utime(tmp_path / ".synthclin-new.partial", (0, 0))
    write_atomic(tmp_path / "fast.csv", "again")
    assert {path.name for path in tmp_path.glob(PARTIAL)} == kept - {".synthclin-new.partial"}


def test_a_run_that_was_killed_in_the_middle_of_a_swap_comes_back(tmp_path: Path) -> None:
    old = tmp_path / ".study.old-abc"
    old.mkdir()
    (old / "model.json").write_text(OLD)
    with pytest.raises(OutputError, match="exists already"), staged_folder(tmp_path / "study"):
        pytest.fail("the block ran")
    assert everything(tmp_path) == ["study", "study/model.json"]
    old.mkdir()
    with staged_folder(tmp_path / "study", overwrite=True) as stage:
        (stage / "new").write_text("new")
    assert everything(tmp_path) == ["study", "study/new"]


def test_a_link_with_such_a_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis").write_text("years")
    (tmp_path / ".study.partial-x").symlink_to("theirs")
    with staged_folder(tmp_path / "study") as stage:
        (stage / "new").write_text("new")
    assert (tmp_path / "theirs" / "thesis").read_text() == "years"


def test_an_output_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("absent")
    for name in ("link", "dangling", "absent/a.csv"):
        with pytest.raises(OutputError):
            refuse_taken(tmp_path / name, overwrite=True)
    with pytest.raises(OutputError, match="exists already"):
        refuse_taken(tmp_path / "real")
    refuse_taken(tmp_path / "real", overwrite=True)
    refuse_taken(tmp_path / "new")
