"""Lint of the container file: pinned, from the checkout alone, without root, and in step with README and pins."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "configs" / "container"
TEXT = (PLACE / "Containerfile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if "==" in line)


def instructions(text):
    """The instructions of a container file in order: name and arguments."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def faults(text):
    """What the rules hold against a container file."""
    found, steps = [], instructions(text)
    aliases = {words.split()[-1] for name, words in steps if name == "FROM" and " AS " in words}
    for name, words in steps:
        if name == "FROM":
            image = words.split()[0]
            if image not in aliases and not re.search(r"(@sha256:[0-9a-f]{64}|:(?!latest)[\w.-]+)$", image):
                found.append(f"{image}: no digest and no tag, or the tag latest")
        elif name == "ADD":
            found.append("ADD: use COPY, which loads and unpacks nothing")
        elif name in {"RUN", "ENTRYPOINT", "CMD"} and not words.startswith("["):
            found.append(f"{name} {words}: runs in a shell")
        elif name == "RUN":
            found += run_faults(json.loads(words))
        elif name == "ENV" and re.search(r"(?i)password|secret|token|_url=", words):
            found.append("ENV: a secret stays in the image")
        elif name not in {"COPY", "ENV", "USER", "WORKDIR", "ENTRYPOINT", "CMD", "LABEL", "RUN"}:
            found.append(f"{name}: not used here")
    users = [words for name, words in steps if name == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        found.append("USER: the last one is no numeric user and group but root's")
    return found


def run_faults(words):
    """What the rules hold against a command of the build: pip alone, with pins."""
    if words[:1] != ["pip"]:
        return [] if words[:3] == ["python", "-m", "venv"] else [f"{words[0]}: only venv and pip are run"]
    named = [word for word in words[2:] if not word.startswith("-")]
    free = [word for word in named if "==" not in word and not word.startswith((".", "https:")) and "/" not in word]
    free = [word for word in free if word != "constraints.txt"]
    pinned = ["-c", "constraints.txt"]
    bound = any(words[i : i + 2] == pinned for i in range(len(words))) or "--no-deps" in words
    return [
        *(f"{word}: not pinned" for word in free),
        *([] if bound else ["pip: neither -c constraints.txt nor --no-deps"]),
        *([] if "--no-cache-dir" in words else ["pip: leaves its cache in the image"]),
    ]


def test_the_container_file_keeps_the_rules():
    assert faults(TEXT) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("python:3.11-slim-bookworm", "python:latest"), "latest"),
        (("python:3.11-slim-bookworm", "python"), "no tag"),
        (("COPY synthclin", "ADD synthclin"), "ADD"),
        (("USER 10001:10001", "USER root"), "USER"),
        (("USER 10001:10001\n", ""), "USER"),
        (("USER 10001:10001", "USER 0:0"), "USER"),
        (('"-c", "constraints.txt", ', ""), "neither"),
        (('"torch==2.13.0"', '"torch"'), "not pinned"),
        (('RUN ["python", "-m", "venv", "/opt/synthclin"]', "RUN python -m venv /opt/synthclin"), "shell"),
        (('["python", "-m", "venv", "/opt/synthclin"]', '["curl", "https://x"]'), "curl"),
        (("SYNTHCLIN_LOG_FORMAT=json", "DATABASE_URL=x"), "secret"),
    ],
)
def test_the_rules_see_what_they_forbid(change, fault):
    assert change[0] in TEXT
    assert any(fault in line for line in faults(TEXT.replace(*change)))


def test_torch_is_installed_as_in_the_readme_and_as_pinned():
    (line,) = re.findall(r"`pip install (torch==\S+ --index-url \S+)`", (ROOT / "README.md").read_text("utf-8"))
    runs = [json.loads(words) for name, words in instructions(TEXT) if name == "RUN"]
    (given,) = [words for words in runs if any(word.startswith("torch==") for word in words)]
    assert [word for word in given if word in line.split()] == line.split()
    assert f"torch=={PINS['torch']}" in given


def test_every_extra_exists_and_every_requirement_of_the_image_is_pinned():
    (extras,) = re.findall(r'"\.\[(.+)\]"', TEXT)
    known = PROJECT["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= set(known)
    pinned = {canonicalize_name(name) for name in PINS}
    lines = [*PROJECT["project"]["dependencies"], *(line for name in extras.split(",") for line in known[name])]
    assert [line for line in lines if canonicalize_name(Requirement(line).name) not in pinned] == []


def test_what_is_copied_is_there_in_the_sdist_and_not_ignored():
    copied = [shlex.split(words) for name, words in instructions(TEXT) if name == "COPY" and "--from" not in words]
    sources = {source for *given, _ in copied for source in given}
    project, sdist = PROJECT["project"], PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert all((ROOT / source).exists() for source in sources)
    # hatchling adds these four by itself; the build of the wheel needs them all
    own = {"pyproject.toml", project["readme"], *project["license-files"]}
    assert own <= sources <= own | set(sdist)
    seen = [line.removeprefix("!") for line in (PLACE / "Containerfile.dockerignore").read_text("utf-8").splitlines()]
    assert sources <= set(seen)
    assert not any(fnmatch(name, pattern) for name in ("data", "runs", ".git") for pattern in seen if pattern != "*")


def test_the_stages_fit_each_other_and_the_project():
    steps = instructions(TEXT)
    images = {words.split()[0] for name, words in steps if name == "FROM"}
    assert len(images) == 1  # the interpreter of the environment is that of the image
    (version,) = re.findall(r"python:(\d\.\d+)", images.pop())
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(version)
    (copied,) = [words.split() for name, words in steps if name == "COPY" and "--from" in words]
    assert copied == ["--from=build", "/opt/synthclin", "/opt/synthclin"]
    (entry,) = [json.loads(words) for name, words in steps if name == "ENTRYPOINT"]
    assert entry == [*PROJECT["project"]["scripts"]]
    last = [name for name, _ in steps[max(i for i, (name, _) in enumerate(steps) if name == "FROM") :]]
    assert "RUN" not in last
