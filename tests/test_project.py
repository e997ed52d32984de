"""The promises that the project's own files make: commands, pins, versions, and what no module may do."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import synthclin

ROOT = Path(__file__).resolve().parent.parent
MODULES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.glob("synthclin/**/*.py"))
}
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# Reading these back runs code, or lets text of a user run as code.
BANNED_IMPORTS = {"cloudpickle", "cPickle", "dill", "joblib", "jsonpickle", "marshal", "pickle", "runpy", "shelve"}
BANNED_NAMES = {"__import__", "compile", "eval", "exec"}
BANNED_CALLS = {
    "numpy.fromregex",
    "pandas.eval",
    "torch.hub.load",
    "torch.jit.load",
    "torch.load",
    "torch.save",
    "yaml.full_load",
    "yaml.unsafe_load",
}
BANNED_METHODS = {"query", "read_pickle", "to_pickle"}
# Touching these would make one user's seed change another's numbers.
GLOBAL_RANDOM = re.compile(
    r"(torch\.(cuda\.)?(manual_seed(_all)?|seed)|numpy\.random\.(?!default_rng|Generator)[a-z]\w*)$"
)
NETWORK = {
    *("aiohttp", "ftplib", "http", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket", "socketserver"),
    *("ssl", "telnetlib", "urllib", "urllib3", "webbrowser", "websockets", "xmlrpc"),
}


def imports(tree: ast.AST) -> dict[str, str]:
    """What each imported name of a module stands for, wherever in the module it is imported."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots = {alias.name.partition(".")[0] for alias in node.names if not alias.asname}
            found |= {root: root for root in roots} | {a.asname: a.name for a in node.names if a.asname}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def calls(tree: ast.AST) -> list[tuple[ast.Call, str]]:
    """Every call with its full dotted name; a name that is no import stays as written, a computed one becomes `?`."""
    known = imports(tree)

    def dotted(node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return known.get(node.id, node.id)
        return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"

    return [(node, dotted(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def runs_code(node: ast.Call, name: str) -> bool:
    """Whether a call could turn bytes or text of a file into running code."""
    method = name.rpartition(".")[2]
    loader = {keyword.arg for keyword in node.keywords}
    return (
        name in BANNED_NAMES | BANNED_CALLS
        or method in BANNED_METHODS
        or (method == "eval" and bool(node.args or node.keywords))  # a torch module's .eval() takes nothing
        or (name == "yaml.load" and "Loader" not in loader)
        or any(k.arg == "allow_pickle" and getattr(k.value, "value", True) is not False for k in node.keywords)
    )


def faults(source: str) -> list[str]:
    """What the rules below hold against one piece of source text."""
    tree = ast.parse(source)
    roots = {full.partition(".")[0] for full in imports(tree).values()}
    return [
        *sorted(roots & (BANNED_IMPORTS | NETWORK)),
        *(name for node, name in calls(tree) if runs_code(node, name) or GLOBAL_RANDOM.match(name)),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads as f",
        "def f():\n    import urllib.request",
        "from http.client import HTTPConnection",
        "import torch as t\nt.load('x')",
        "from torch import load\nload('x')",
        "eval('1')",
        "import builtins\nexec('1')",
        "table.query('a > 1')",
        "table.eval('a > 1')",
        "import pandas as pd\npd.read_pickle('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import yaml\nyaml.load(text)",
        "import numpy as np\nnp.random.seed(0)",
        "import numpy as np\nnp.random.normal()",
        "import torch\ntorch.manual_seed(0)",
    ],
)
def test_the_rules_see_what_they_ban(source):
    assert faults(source)


@pytest.mark.parametrize(
    "source",
    [
        "network.eval()",
        "import numpy as np\nnp.random.default_rng(0).normal()",
        "generator.manual_seed(0)",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import re\nre.compile('x')",
        "import torch.nn\ntorch.nn.Linear(1, 1)",
    ],
)
def test_the_rules_let_harmless_code_pass(source):
    assert not faults(source)


def test_no_module_unpickles_evaluates_connects_or_seeds_globally():
    found = {name: faults((ROOT / name).read_text("utf-8")) for name in MODULES}
    # torch modules take no generator: seeds.py borrows the global state inside `fork_rng`, which puts it back.
    assert {name: what for name, what in found.items() if what} == {"synthclin/seeds.py": ["torch.manual_seed"]}


def test_every_module_says_its_purpose_and_its_names():
    def names(tree):
        targets = [
            node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)] for node in tree.body
        ]
        return {target.id for group in targets for target in group if isinstance(target, ast.Name)}

    assert [name for name, tree in MODULES.items() if not ast.get_docstring(tree)] == []
    assert [name for name, tree in MODULES.items() if "__all__" not in names(tree)] == []


def test_no_file_outgrows_400_lines():
    lengths = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in MODULES}
    assert {name: length for name, length in lengths.items() if length >= 400} == {}


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, synthclin; print(sorted({'torch', 'pandas', 'sklearn', 'sdmetrics'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_can_be_reached():
    assert [name for name in synthclin.__all__ if not hasattr(synthclin, name)] == []


def test_ci_runs_the_commands_of_the_readme():
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    commands = re.findall(r"^(?:first|tests)='(.+)'$", ci, re.MULTILINE)
    assert len(commands) == 2
    assert re.findall(r"```sh\n(.+)\n```", README) == commands


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    released = re.findall(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert citation["version"] == released[0] == PROJECT["version"]


def test_every_requirement_has_a_pin_that_meets_it():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    extras = PROJECT["optional-dependencies"]
    wanted = [
        Requirement(line)
        for line in (
            *PROJECT["dependencies"],
            *(one for name in ("test", "lint", "readstat", "excel") for one in extras[name]),
        )
    ]
    met = {one.name: one.specifier.contains(pinned.get(canonicalize_name(one.name), "0")) for one in wanted}
    assert [name for name, good in met.items() if not good] == []


def test_no_text_claims_what_a_tool_cannot_know():
    claims = re.compile(r"\b(anonymous|anonymi[sz]ed|compliant|guaranteed|risk-free)\b", re.IGNORECASE)
    texts = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("synthclin/report/templates/*"),
    ]
    assert [path.name for path in texts if claims.search(path.read_text("utf-8"))] == []


def test_the_table_of_layers_is_the_contract():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d) \| `(\w+)` \| (.+) \|$", text, re.MULTILINE)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one.get("containers") == ["synthclin"]]
    layers = [layer.split(" | ") for layer in contract["layers"]]
    written = [(len(layers) - 1 - i, room) for i, rooms in enumerate(layers) for room in rooms]
    assert [(int(layer), room) for layer, room, _ in rows] == written
    assert all(
        (ROOT / "synthclin" / room).exists() or (ROOT / "synthclin" / f"{room}.py").exists() for _, room in written
    )
