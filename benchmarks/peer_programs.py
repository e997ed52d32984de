"""Programs that fit one model and sample from it, each a process of its own in an environment of its own.

A program gets NAME SOURCE ROWS TARGET SEED LIMIT SCHEMA: it reads training rows from a Parquet file (levels as text,
numbers as floats, missing cells empty), fits with the documented defaults within LIMIT processor seconds, writes ROWS
synthetic rows to TARGET, and prints a JSON line with processor seconds of the fit and of the sampling, peak memory, and
the versions of its packages. Peers are programs that run beside synthclin, by their documented interfaces alone: none
is a dependency (SDV's licence is BSL 1.1).

The sequential CART is written here after Nowok, Raab & Dibben (synthpop, Journal of Statistical Software 74(11), 2016)
on scikit-learn's trees, with their defaults: columns in the order of the table, at least 5 rows in a leaf, values drawn
from the leaf, missing numbers by an indicator of their own. No package on the index does this with missing cells:
pyseq-cart 0.1.0a5 refuses them, python-synthpop 0.1.2 imputes them before the fit.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["OURS", "PEERS", "Peer"]

MEASURED = """
import json, os, resource, sys, warnings
warnings.simplefilter("ignore")
from importlib import metadata
import numpy as np
import pandas as pd
name, source, rows, target, seed, limit = sys.argv[1:7]
rows, seed, limit = int(rows), int(seed), int(limit)
resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))


def processor_seconds():
    return sum(os.times()[:4])


def tell(start, fitted, sampled, *packages):
    # ru_maxrss would count the process that started this one; VmHWM is that of this program alone.
    status = open("/proc/self/status").read()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({
        "fit_seconds": round(fitted - start, 2),
        "sample_seconds": round(sampled - fitted, 2),
        "peak_mb": round(peak),
        "versions": {package: metadata.version(package) for package in packages},
    }))


table = pd.read_parquet(source)
np.random.seed(seed)
"""

SDV = (
    MEASURED
    + """
import torch
from sdv import single_table
from sdv.metadata import Metadata
torch.manual_seed(seed)
numbers = {column: pd.api.types.is_numeric_dtype(table[column]) for column in table}
# Described, not detected: detection takes a column of distinct values for a key.
kinds = {column: {"sdtype": "numerical" if number else "categorical"} for column, number in numbers.items()}
described = Metadata.load_from_dict({"tables": {"table": {"columns": kinds}}})
start = processor_seconds()
model = getattr(single_table, name + "Synthesizer")(described)
model.fit(table)
fitted = processor_seconds()
model.sample(rows).to_parquet(target)
tell(start, fitted, processor_seconds(), "sdv", "ctgan", "rdt", "copulas", "torch", "pandas", "numpy")
"""
)

ARGN = (
    MEASURED
    + """
from mostlyai.engine import TabularARGN
start = processor_seconds()
model = TabularARGN(random_state=seed)
model.fit(table)
fitted = processor_seconds()
model.sample(n_samples=rows).to_parquet(target)
tell(start, fitted, processor_seconds(), "mostlyai-engine", "torch", "pandas", "numpy")
"""
)

# Neither ARF nor TabDDPM takes missing cells: numbers get the median and a column that tells, levels one of their own.
FILLED = """
for column in list(table):
    gaps = table[column].isna()
    if pd.api.types.is_numeric_dtype(table[column]):
        table[column] = table[column].fillna(table[column].median())
        if gaps.any():
            table[column + " is missing"] = gaps.map({True: "yes", False: "no"}).astype(object)
    else:
        table[column] = table[column].fillna("missing")
"""
EMPTIED = """
for column in list(sampled):
    told = column + " is missing"
    if told in sampled:
        sampled[column] = sampled[column].astype(float).where(sampled.pop(told).astype(str) != "yes")
    elif column in sampled and not pd.api.types.is_numeric_dtype(sampled[column]):
        sampled[column] = sampled[column].astype(object).where(sampled[column].astype(str) != "missing")
sampled.to_parquet(target)
"""

ARF = (
    MEASURED
    + FILLED
    + """
from arfpy import arf
for column in table.select_dtypes("object"):
    table[column] = table[column].astype("category")
start = processor_seconds()
model = arf.arf(x=table, verbose=False)
model.forde()
fitted = processor_seconds()
sampled = model.forge(n=rows)
end = processor_seconds()
"""
    + EMPTIED
    + """
tell(start, fitted, end, "arfpy", "scikit-learn", "pandas", "numpy")
"""
)

# synthcity imports every model's packages. What TabDDPM does not use (images, time series, survival) stands empty.
UNUSED = """
import importlib.abc, importlib.machinery, types


class Empty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    NAMES = {"torchvision", "tsai", "fastai", "monai", "pycox", "xgbse", "torchtuples", "pykeops", "pgmpy", "shap",
             "be_great", "decaf", "redis", "geomloss"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.NAMES:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        def attribute(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})
        module = types.ModuleType(spec.name)
        module.__getattr__ = attribute
        return module

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, Empty())
"""

DDPM = (
    MEASURED
    + FILLED
    + UNUSED
    + """
from synthcity.plugins import Plugins
from synthcity.plugins.core.dataloader import GenericDataLoader
model = Plugins(categories=["generic"]).get("ddpm", random_state=seed)
start = processor_seconds()
model.fit(GenericDataLoader(table, random_state=seed))
fitted = processor_seconds()
sampled = model.generate(count=rows, random_state=seed).dataframe()
end = processor_seconds()
"""
    + EMPTIED
    + """
tell(start, fitted, end, "synthcity", "torch", "pandas", "numpy")
"""
)

CART = (
    MEASURED
    + """
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
rng = np.random.default_rng(seed)
LEAF = {"min_samples_leaf": 5, "min_samples_split": 15, "random_state": seed}


def ordered(codes, levels, response):
    # The levels of a predictor, ranked by their mean response or its first principal component (Coppersmith, Hong &
    # Hosking 1999), so that a tree splits them into two groups as rpart does.
    response = response - response.mean(0)
    counts = np.bincount(codes, minlength=levels)
    means = np.stack([np.bincount(codes, r, minlength=levels) for r in response.T], 1) / np.maximum(counts, 1)[:, None]
    if means.shape[1] > 1:
        weighted = np.cov(means.T, fweights=counts)
        means = means @ np.linalg.eigh(weighted)[1][:, -1:]
    place = np.empty(levels)
    place[np.argsort(means[:, 0], kind="stable")] = np.arange(levels)
    return place


# Each step is a column of levels, with missing as a level of its own, or of numbers, known or not beforehand.
steps = []
for column in table:
    if pd.api.types.is_numeric_dtype(table[column]):
        missing = table[column].isna().to_numpy()
        if missing.any():
            steps.append((column, "missing", missing.astype(int), 2))
        steps.append((column, "number", table[column].fillna(0).to_numpy(float), None))
    else:
        codes, levels = pd.factorize(table[column].astype(object), sort=True)
        steps.append((column, "levels", np.where(codes < 0, len(levels), codes), len(levels) + 1))
texts = {c: pd.factorize(table[c].astype(object), sort=True)[1] for c in table.select_dtypes("object")}


def predictors(values, fitted):
    return np.column_stack([v if place is None else place[v] for v, place in zip(values, fitted, strict=True)])


start = processor_seconds()
models = []
for i, (column, kind, seen, levels) in enumerate(steps):
    known = ~table[column].isna().to_numpy() if kind == "number" else np.ones(len(table), bool)
    if i == 0 or len(np.unique(seen[known])) < 2:
        models.append((None, None, {0: seen[known]}))
        continue
    response = seen[known, None] if levels is None else np.eye(levels)[seen[known]]
    before = [(step[2][known], step[3]) for step in steps[:i]]
    places = [None if size is None else ordered(values, size, response) for values, size in before]
    tree = (DecisionTreeRegressor if levels is None else DecisionTreeClassifier)(**LEAF)
    matrix = predictors([values for values, _ in before], places)
    leaf = tree.fit(matrix, seen[known]).apply(matrix)
    order = np.argsort(leaf, kind="stable")
    names, first = np.unique(leaf[order], return_index=True)
    models.append((tree, places, dict(zip(names, np.split(seen[known][order], first[1:]), strict=True))))
fitted = processor_seconds()
drawn = []
for i, (tree, places, donors) in enumerate(models):
    leaf = np.zeros(rows, int) if tree is None else tree.apply(predictors(drawn, places))
    values = np.empty(rows, steps[i][2].dtype)
    for name_of_leaf in np.unique(leaf):
        here = leaf == name_of_leaf
        values[here] = rng.choice(donors[name_of_leaf], here.sum())
    if steps[i][1] == "number" and i and steps[i - 1][:2] == (steps[i][0], "missing"):
        values[drawn[i - 1] == 1] = 0
    drawn.append(values)
sampled, absent = {}, {}
for (column, kind, _, _), values in zip(steps, drawn, strict=True):
    if kind == "missing":
        absent[column] = values == 1
    elif kind == "number":
        sampled[column] = np.where(absent.get(column, False), np.nan, values)
    else:
        sampled[column] = np.append(np.asarray(texts[column], object), None)[values]
sampled = pd.DataFrame(sampled)
end = processor_seconds()
sampled.to_parquet(target)
tell(start, fitted, end, "scikit-learn", "pandas", "numpy")
"""
)

OURS = (
    MEASURED
    + """
import synthclin as sc
from synthclin.models import MODELS
from synthclin.progress import quiet
schema = sc.Schema.read(sys.argv[7])
typed = pd.DataFrame({c: schema.columns[c].coerce(table[c])[0] for c in table})
start = processor_seconds()
with quiet():
    model = MODELS[name](schema, random_state=seed).fit(typed)
    fitted = processor_seconds()
    sampled = model.sample(rows, random_state=seed)
end = processor_seconds()
sampled = sampled[list(table)]
for column in sampled:
    levels = isinstance(sampled[column].dtype, pd.CategoricalDtype)
    sampled[column] = sampled[column].astype(object) if levels else sampled[column]
sampled.to_parquet(target)
tell(start, fitted, end, "torch", "pandas", "numpy")
"""
)
"""The program of synthclin's own families."""


class Peer(NamedTuple):
    """A program and where it runs.

    Arguments:
        folder: of the environment, below that of all environments.
        packages: what is installed there; the first with a version names the peer's version.
        program: the text of the program.
        separate: packages that are installed without what they ask for, which is in `packages`.
    """

    folder: str
    packages: tuple[str, ...]
    program: str
    separate: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The package and version that a line names."""
        return (self.separate or tuple(p for p in self.packages if not p.startswith("torch")))[0].replace("==", " ")


_SDV = Peer("sdv", ("torch==2.13.0", "sdv==1.38.5", "pandas==2.3.3", "pyarrow"), SDV)
PEERS = {
    "CTGAN": _SDV,
    "TVAE": _SDV,
    "GaussianCopula": _SDV,
    "TabularARGN": Peer("mostlyai", ("torch==2.13.0", "mostlyai-engine==2.7.3"), ARGN),
    "ARF": Peer(
        "arf",
        ("arfpy==0.1.1", "numpy==1.26.4", "pandas==2.2.3", "scikit-learn==1.5.2", "pyarrow==17.0.0"),
        ARF,
    ),
    "TabDDPM": Peer(
        "synthcity",
        (
            *("torch==2.13.0", "pandas==2.2.3", "numpy==1.26.4", "scikit-learn==1.5.2", "scipy==1.13.1"),
            *(
                "pyarrow==17.0.0",
                "setuptools<80",
                "importlib-metadata",
                "loguru",
                "pydantic>=2",
                "cloudpickle",
                "tqdm",
                "tenacity",
            ),
            *("networkx<3", "lifelines==0.29.0", "opacus==1.6.0", "optuna", "matplotlib", "seaborn"),
        ),
        DDPM,
        separate=("synthcity==0.2.12", "xgboost-cpu==2.1.4", "nflows==0.14", "fflows==0.0.3", "arfpy==0.1.1"),
    ),
    "CART": Peer("cart", ("scikit-learn==1.9.1", "pandas==2.3.3", "pyarrow"), CART),
}
"""Every peer by the name that a line gives it."""
