"""Labels of scores without a default gate: names, units and kinds of analyses."""

__all__ = ["ANALYSES", "NAMES", "SURVIVAL"]

# Kinds of repeated analyses.
ANALYSES = {
    "cox": "Cox regression",
    "logistic": "Logistic regression",
    "linear": "Linear regression",
    "survival": "Survival analysis",
    "compare": "Comparison of groups",
}

# Scores without a default gate: name and unit.
NAMES = {
    "fidelity.wasserstein": ("Wasserstein distance", "mean over numbers, in interquartile ranges"),
    "fidelity.tails": ("Tails", "mean shift of outer percentiles, in interquartile ranges"),
    "fidelity.rare_levels": ("Rare levels", "mean agreement of shares"),
    "fidelity.triples": ("Triples of columns", "mean agreement"),
    "fidelity.unseen_pairs": ("Category pairs unseen in training", "share of rows"),
    "fidelity.missing_dependence": ("Correlations with missingness", "mean absolute difference"),
    "fidelity.propensity": ("Propensity (pMSE)", "propensity mean squared error"),
    "fidelity.precision": ("Precision", "share of synthetic rows within the real support"),
    "fidelity.recall": ("Recall", "share of real patients within the synthetic support"),
    "fidelity.logistic_detection": ("Logistic detection", "SDMetrics score, 1 is best"),
}

# Scores of the time to an event; the name of the event is filled in.
SURVIVAL = {
    "curve": ("Survival to {}", "area between the curves"),
    "optimism": ("Survival optimism, {}", "mean signed difference of the curves"),
    "premature_end": ("Premature follow-up end, {}", "share of follow-up lost"),
    "rmst": ("RMST of {}", "mean difference, in units of time"),
    "censoring": ("Censoring before {}", "area between the curves"),
    "incidence": ("Cumulative incidence, {}", "mean area between the curves"),
}
