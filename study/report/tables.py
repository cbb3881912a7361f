"""A report as one CSV table, with a row for each figure; `what` says what a row is about."""

import pandas as pd

from study.export.files import as_csv
from study.report.wording import best


def summary_csv(report: dict) -> str:
    """Conditions, differences, pictures and raters who failed a check; simulated ones say so."""
    rows = [{"what": "condition"} | row for row in report["conditions"]]
    rows += [{"what": "model"} | row for row in report["fooling"]]
    rows += [_difference(report, each) for each in report["comparisons"]]
    rows += _pictures(report)
    rows += [
        {"what": "failed check", "rater": each["rater"], "note": each["reasons"]}
        for each in report["exclusions"] or []
    ]
    table = pd.DataFrame(rows, dtype=object)
    if report["simulated"]:
        table = table.assign(simulated=True)
    table = table.dropna(axis="columns", how="all")
    return as_csv(table.where(table.notna(), ""))


def _difference(report: dict, comparison: dict) -> dict:
    """The test that the text shows first."""
    figures = ("mean", "ci_low", "ci_high", "t", "df", "p", "method", "note")
    test = best(report, comparison)
    named = {key: comparison[key] for key in ("reference", "condition", "p_holm")}
    return (
        {"what": "difference", "raters": comparison["paired"]["n"]}
        | named
        | {key: test[key] for key in figures}
    )


def _pictures(report: dict) -> list[dict]:
    """A row for each picture and condition."""
    mean = "rate" if report["protocol"] == "real-or-fake" else "mean"
    return [
        {
            "what": "picture",
            "picture": picture["picture"],
            "condition": condition,
            "raters": picture[f"{condition}_raters"],
            mean: picture[f"{condition}_mean"],
            "sd": picture[f"{condition}_sd"],
        }
        for picture in report["pictures"]
        for condition in dict.fromkeys(cell["condition"] for cell in report["cells"])
    ]
