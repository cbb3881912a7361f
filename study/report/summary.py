"""A report as one CSV table, with a row for each figure; `what` says what a row is about."""

from collections.abc import Iterator

from study.report.findings import Report, as_json
from study.spreadsheet import as_csv
from study.stats.comparison import Comparison


def summary_csv(report: Report) -> str:
    """Conditions, differences, pictures, raters who failed a check and what of a file was left out;
    simulated ones say so."""
    rows = [{"what": "condition"} | as_json(row) for row in report.conditions]
    rows += [{"what": "model"} | as_json(row) for row in report.fooling]
    rows += [_difference(report, each) for each in report.comparisons]
    rows += _pictures(report)
    rows += [
        {"what": "failed check", "rater": each.rater, "note": each.reasons}
        for each in report.exclusions or ()
    ]
    rows += [{"what": "file", "note": note} for note in report.notes]
    header = dict.fromkeys(key for row in rows for key, value in row.items() if value is not None)
    if report.simulated:
        header["simulated"] = None
        rows = [row | {"simulated": True} for row in rows]
    return as_csv(list(header), rows)


def _difference(report: Report, comparison: Comparison) -> dict[str, object]:
    """The difference with the test that the text shows first."""
    figures = ("mean", "ci_low", "ci_high", "t", "df", "p", "method", "note")
    test = as_json(report.best(comparison))
    return {
        "what": "difference",
        "raters": comparison.paired.n,
        "reference": comparison.reference,
        "condition": comparison.condition,
        "p_holm": as_json(comparison.p_holm),
    } | {key: test[key] for key in figures}


def _pictures(report: Report) -> Iterator[dict[str, object]]:
    """A row for each picture and condition."""
    mean = "rate" if report.fooling else "mean"
    for picture in report.pictures:
        for condition, score in picture.scores.items():
            yield {
                "what": "picture",
                "picture": picture.picture,
                "condition": condition,
                "raters": score.raters,
                mean: as_json(score.mean),
                "sd": as_json(score.sd),
            }
