"""A PostgreSQL server of its own, on loopback, with its own data folder, for as long as the tests of a module run."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

PASSWORD = "hunter2-PASSWORD"


@contextlib.contextmanager
def server():
    """The address of an empty database; skips where there is no PostgreSQL."""
    folders = [Path(found).parent for found in [shutil.which("pg_ctl")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    binaries = next((folder for folder in folders if (folder / "initdb").exists()), None)
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: neither pg_ctl nor /usr/lib/postgresql")
    pytest.importorskip("pg8000", reason="the extra `postgresql` is not installed")
    # PostgreSQL refuses to run as root.
    account = {}
    if os.geteuid() == 0:
        try:
            account = {"user": pwd.getpwnam("postgres").pw_uid, "group": pwd.getpwnam("postgres").pw_gid}
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    place = Path(tempfile.mkdtemp(prefix="synthclin-postgresql-"))
    if account:
        os.chown(place, account["user"], account["group"])

    def run(program, *arguments):
        command = [binaries / program, *arguments]
        log = place / "log"
        done = subprocess.run(command, cwd=place, check=False, capture_output=True, timeout=120, **account)
        if done.returncode:
            told = log.read_text() if log.exists() else ""
            raise RuntimeError(f"{program}: {done.stderr.decode()} {told}")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "password").write_text(PASSWORD)
    (place / "password").chmod(0o644)
    data = ("-D", place / "data")
    try:
        setup = ("-U", "owner", "-A", "scram-sha-256", "--pwfile", place / "password", "-E", "UTF8", "--no-sync")
        run("initdb", *data, *setup, "--locale", "C")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        run("pg_ctl", *data, "-l", place / "log", "-w", "-o", options, "start")
        try:
            yield f"postgresql://owner:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", *data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)
