r"""Examples of each command, shown below its help.

``\b`` keeps the line breaks of the paragraph that follows it.
"""

from __future__ import annotations

__all__ = ["EXAMPLES", "LINES"]

LINES = {
    "": (
        "synthclin init ward.csv",
        "synthclin run configs/heart_disease.yaml",
        'synthclin sample runs/heart-disease-20261122/model -n 500 --where "age >= 70" -o older.csv',
    ),
    "init": (
        "synthclin init ward.csv",
        "synthclin init export.csv -o ward --separator ';' --decimal , --encoding cp1252 --date-format DD.MM.YYYY",
    ),
    "run": (
        "synthclin run study.yaml --dry-run",
        "synthclin run study.yaml --set model.effort=quick --set sampling.rows=2000",
        "synthclin run study.yaml --resume",
        "synthclin run sweep.yaml --engine ray",
    ),
    "schema": ("synthclin schema infer ward.csv -o schema.yaml", "synthclin schema check ward.csv schema.yaml"),
    "schema infer": (
        "synthclin schema infer ward.csv -o schema.yaml",
        "synthclin schema infer ward.csv --declare notes=text --declare ward=category",
    ),
    "schema check": (
        "synthclin schema check ward.csv schema.yaml",
        "synthclin schema check ward.csv schema.yaml --json",
    ),
    "schema json": (
        "synthclin schema json report -o report.schema.json",
        "synthclin schema json study -o study.schema.json",
    ),
    "fit": ("synthclin fit study.yaml -o model/", "synthclin fit study.yaml -o model/ --resume"),
    "sample": (
        'synthclin sample model/ -n 5000 --where "age >= 70" -o older.csv --csv-safe',
        'synthclin sample model/ -n 1000 --mix "sex={F: 0.5, M: 0.5}" --seed 7 -o balanced.parquet',
        "synthclin sample model/ -n 5000 -o 'duckdb:///ward.db?table=synthetic'",
    ),
    "impute": (
        "synthclin impute model/ ward.csv -o completed.csv",
        "synthclin impute model/ ward.csv -o completed.csv --imputations 5 --column ldl",
    ),
    "evaluate": (
        "synthclin evaluate synthetic.csv --train train.csv --holdout holdout.csv --schema schema.yaml -o report.html",
        "synthclin evaluate s1.csv s2.csv --train train.csv --schema schema.yaml --gates 'fidelity.marginals >= 0.9'",
    ),
    "report": (
        "synthclin report report.json -o report.html",
        "synthclin report report.json -o report-shareable.html --edition shareable",
    ),
    "compare": (
        "synthclin compare runs/ward-1 runs/ward-2 -o compare.html",
        "synthclin compare runs/ -o index.html",
    ),
    "verify": (
        "synthclin verify runs/ward-7",
        "synthclin verify synthetic.csv report.json",
        "synthclin verify runs/ward-7 --source ward.csv",
    ),
    "audit-dp": ("synthclin audit-dp study.yaml", "synthclin audit-dp study.yaml --set protect.dp.epsilon=1 --json"),
    "export": (
        "synthclin export runs/ward-7 --for-sharing -o model_to_share/",
        'synthclin export runs/ward-7 --for-sharing -o model_to_share/ --override "recipient is the custodian"',
    ),
}

EXAMPLES = {
    name: "\b\nExample:" + "".join(f"\n  {line}" for line in lines)
    if len(lines) == 1
    else "\b\nExamples:" + "".join(f"\n  {line}" for line in lines)
    for name, lines in LINES.items()
}
