"""docs/jobs.md: its scripts are shell that handles every exit code, its commands run, its tables are complete."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from synthclin import log
from synthclin.cli import error_boundary, main
from tests.conftest import toy_config, toy_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "jobs.md").read_text("utf-8")
CRON, SLURM, SEEDS, GRID = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
JOB, POLICY = yaml.safe_load_all(re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0])
POD = JOB["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]

# Writes down its name, arguments and standard input, and ends with the code that the test asks of `synthclin`.
TOOL = """#!/bin/sh
name=$(basename "$0")
if [ "$name" = mail ]; then cat > letter; fi
if [ "$name" = srun ]; then
    while [ "${1#--}" != "$1" ]; do shift; done
    exec "$@"
fi
printf '%s\\n' "$name" "$@" > "$name.called"
if [ "$name" = synthclin ]; then echo result; echo '{"event": "end"}' >&2; exit "$CODE"; fi
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder that is the current one, with programs on the path that write down how they were called."""
    monkeypatch.chdir(tmp_path)
    for name in ("synthclin", "srun", "scontrol", "mail"):
        (tmp_path / "bin" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(TOOL, "utf-8")
        (tmp_path / "bin" / name).chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("WARD", str(tmp_path))
    for name, value in {"SLURM_JOB_ID": "71", "SLURM_ARRAY_TASK_ID": "3", "SLURM_CPUS_PER_TASK": "2"}.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def ran(script, code):
    """Run a script with `synthclin` ending with a code; returns its own code, and the calls of each program."""
    done = subprocess.run(["sh", "-c", script], env=os.environ | {"CODE": str(code)}, check=False)
    return done.returncode, {path.stem: path.read_text().split("\n")[1:-1] for path in Path().glob("*.called")}


@pytest.mark.parametrize("script", [CRON, SLURM, SEEDS, GRID], ids=["cron", "slurm", "seeds", "grid"])
@pytest.mark.parametrize("code", [0, 1, 2, 3, 130])
@pytest.mark.usefixtures("tools")
def test_the_scripts_end_with_the_exit_code_and_tell_who_must_know(script, code):
    returned, calls = ran(script, code)
    assert returned == code
    if script != CRON:
        assert calls.get("scontrol") == (["requeue", "71"] if code == 130 else None)
        return
    assert ("mail" in calls) == (code != 0)
    if code:
        address = "reviewer@hospital.example" if code == 3 else "admin@hospital.example"
        assert calls["mail"][0] == "-s"
        assert calls["mail"][2:] == [address]
        assert Path("letter").read_text() == ("result\n" if code == 3 else '{"event": "end"}\n')


@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock of util-linux")
def test_a_second_start_of_cron_does_nothing(tools):
    with subprocess.Popen(["flock", str(tools / ".lock"), "sh", "-c", "echo; read x"], stdin=-1, stdout=-1) as other:
        other.stdout.readline()
        assert ran(CRON, 2) == (0, {})
        other.communicate(b"\n")


@pytest.mark.parametrize("script", [SLURM, SEEDS, GRID], ids=["slurm", "seeds", "grid"])
def test_options_of_slurm(script):
    lines = script.splitlines()
    options = dict(re.fullmatch(r"#SBATCH --([a-z-]+)=?(.*)", line).groups() for line in lines if "#SBATCH" in line)
    assert lines[1 : len(options) + 1] == [line for line in lines if "#SBATCH" in line]  # before the first command
    assert {"requeue", "cpus-per-task", "mem", "time", "output"} <= set(options)
    assert options["signal"] == "TERM@120"
    assert options["open-mode"] == "append"
    assert ("%a" in options["output"]) == ("array" in options)
    name = options["output"].removesuffix(".log")
    assert f"srun --open-mode=append --output={name}.txt --error={name}.jsonl" in script


class TestTheCommandsRun:
    """What the scripts call is run here, in this process, on a toy study."""

    @pytest.fixture
    def home(self, tools, monkeypatch):
        from tests import short  # noqa: PLC0415 - heavy

        for shorten in (short.short_trainings, short.few_sdmetrics, short.few_trees):
            shorten(monkeypatch)
        config = toy_config() | {"name": "ward", "evaluation": {"replicates": 1}}
        Path("study.yaml").write_text(yaml.safe_dump(config), "utf-8")
        models = [{"type": "independent"}]
        grid = {"studies": ["study.yaml"], "models": models, "seeds": [2, 3], "set": {"sampling.cohorts": []}}
        Path("sweep.yaml").write_text(yaml.safe_dump({"version": 1, "name": "grid", "sweep": grid}), "utf-8")
        toy_table().to_csv("data.csv", index=False)
        return tools

    @pytest.mark.usefixtures("two_scores", "home")
    @pytest.mark.parametrize("script", [CRON, SLURM, SEEDS], ids=["cron", "slurm", "seeds"])
    def test_a_study(self, script, quiet):
        command = ran(script, 0)[1]["synthclin"]
        first, err = quiet(*command)
        again, _ = quiet(*command)
        assert json.loads(err.splitlines()[-1])["exit_code"] == 0
        assert first.replace("written to", "complete already:") == again
        folder = first.split()[-1]
        wanted = {CRON: r"runs/ward-\d{4}-\d\d/", SLURM: "runs/ward-7/", SEEDS: "runs/ward-3/"}
        assert re.fullmatch(wanted[script], folder)
        assert (Path(folder) / "report.json").is_file()

    @pytest.mark.usefixtures("two_scores", "home")
    def test_an_array_over_the_seeds_of_a_sweep_and_the_page_after_it(self, quiet, monkeypatch):
        for seed in ("2", "3"):
            monkeypatch.setenv("SLURM_ARRAY_TASK_ID", seed)
            assert "1 run now" in quiet(*ran(GRID, 0)[1]["synthclin"])[0]
        out, _ = quiet("run", "sweep.yaml", "--json")
        done = json.loads(out)
        assert (done["ran"], len(done["cells"])) == (0, 2)

    @pytest.mark.usefixtures("home")
    def test_the_arguments_of_the_pod(self, quiet, monkeypatch):
        """Files of a ConfigMap are symbolic links."""
        Path("config").mkdir()
        config = yaml.safe_load(Path("study.yaml").read_text("utf-8"))
        config["data"]["source"] = str(Path("data.csv").resolve())
        Path("config", "data.yaml").write_text(yaml.safe_dump(config), "utf-8")
        Path("config", "study.yaml").symlink_to("data.yaml")
        for each in CONTAINER["env"]:
            monkeypatch.setenv(each["name"], each.get("value", "unused"))
        words = [word.replace("/study/", "config/") for word in CONTAINER["args"]]
        assert "would write" in quiet(*words, "--dry-run")[0]

    def test_the_first_command_of_the_page_is_that_of_the_scripts(self):
        assert "synthclin run study.yaml --resume --log-format json\n" in PAGE
        for script in (CRON, SLURM, SEEDS):
            words = re.sub(r"\\\n", " ", script)
            assert re.search(r"synthclin run study.yaml --resume .*--log-format json", words)


class TestKubernetes:
    def test_the_pod_is_restricted(self):
        """The Pod Security Standard `restricted`, a read-only root and no token."""
        assert POD["securityContext"]["runAsNonRoot"] is True
        assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert CONTAINER["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert POD["automountServiceAccountToken"] is False
        assert CONTAINER["resources"]["limits"].keys() == {"cpu", "memory"}

    def test_user_image_and_places_are_those_of_the_container_file(self):
        text = (ROOT / "configs" / "container" / "Containerfile").read_text("utf-8")
        user = POD["securityContext"]
        assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in text
        assert user["fsGroup"] == user["runAsGroup"]
        mounts = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
        assert mounts.keys() == {each["name"] for each in POD["volumes"]}
        assert re.findall(r"WORKDIR (.+)", text)[-1] == mounts["work"]
        assert not [each for each in CONTAINER["volumeMounts"] if each["name"] == "study" and not each["readOnly"]]
        tags = re.findall(r"synthclin:(\S+?)[\s`]", PAGE + text)
        assert set(tags) == {re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]}

    def test_exit_codes_decide_over_another_try(self):
        assert POD["restartPolicy"] == "Never"  # a failure policy needs it
        fail, ignore = JOB["spec"]["podFailurePolicy"]["rules"]
        assert fail["action"] == "FailJob"
        assert fail["onExitCodes"]["values"] == [error_boundary.WRONG_USE, error_boundary.GATES_MISSED]
        assert fail["onExitCodes"]["containerName"] == CONTAINER["name"]
        assert ignore == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        assert POD["terminationGracePeriodSeconds"] > 30  # workers have 30 seconds to end

    def test_the_policy_is_of_the_pod(self):
        labels = JOB["spec"]["template"]["metadata"]["labels"]
        assert POLICY["spec"]["podSelector"]["matchLabels"] == labels
        assert POLICY["spec"]["policyTypes"] == ["Ingress", "Egress"]


class TestTables:
    def test_every_event_with_its_fields(self):
        rows = re.findall(r"^\| `(\w+)` \| (`.+?) \| .+ \|$", PAGE, re.MULTILINE)
        found = {event: re.findall(r"`(\w+)`", fields) for event, fields in rows}
        assert found == {kind.event: [field.name for field in dataclasses.fields(kind)] for kind in log.EVENTS}

    def test_every_exit_code_of_the_command_line(self):
        codes = re.findall(r"^\| (\d+) \| ", PAGE, re.MULTILINE)
        described = re.findall(r"^\| (\d+) \| ", (ROOT / "docs" / "cli.md").read_text("utf-8"), re.MULTILINE)
        assert codes == [*described, "137"]

    def test_the_lines_shown_are_lines_of_the_log(self):
        (text,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        fields = {kind.event: [field.name for field in dataclasses.fields(kind)] for kind in log.EVENTS}
        for line in map(json.loads, text.splitlines()):
            assert list(line) == ["time", "level", "event", *fields[line["event"]]]

    def test_the_command_before_it_is_known(self, capsys):
        assert main(["schema", "json", "log"]) == 0
        assert json.loads(capsys.readouterr().out)["anyOf"]
