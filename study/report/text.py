"""A report as plain text."""

import textwrap
from collections.abc import Callable, Iterable

from study.report.wording import (
    DESIGNS,
    PUBLISHED,
    RECOMMENDED,
    RESAMPLED,
    SIMULATED,
    T_INTERVAL,
    agreement_notes,
    contrast,
    difference,
    family,
    notes,
    nothing,
    overview,
    overview_unit,
    remarks,
    several,
    tests,
    who,
    with_control,
    without_failed,
)
from study.wording import count, decimals, interval, p_value, percent, printable

WIDTH = 100  # characters
MANY = 12  # rows of a table, beyond which the text shows the ends only


def as_text(report: dict) -> str:
    """`findings` as plain text, for one screen or two."""
    first = [SIMULATED, ""] if report["simulated"] else []
    if not report["ratings"]:
        return "\n".join([*first, nothing(report)])
    rates = report["protocol"] == "rating"
    scale = "Ratings from 0 to 10" if rates else "Real or fake: how often the fake was not found"
    design = f" ({DESIGNS[report['design']]})" if rates else ""
    lines = [*first, f"{scale}, {printable(report['source'], 200)}{design}", *who(report), ""]
    if rates:
        lines += _conditions(report)
    else:
        lines += _fooling(report)
    lines += _overview(report)
    for comparison in with_control(report):
        lines += ["", *_comparison(report, comparison)]
    lines += ["", *_agreement(report), "", *_pictures(report), *_times(report)]
    lines += ["", "What this cannot show", *(f"- {said}" for said in report["caveats"])]
    return "\n".join(_wrapped(printable(line, 600)) for line in lines)


def _wrapped(line: str) -> str:
    """Sentences on several lines; rows of tables, which have gaps, as they are."""
    if "   " in line.strip():
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    hanging = indent + "  " * line.startswith("- ")
    return textwrap.fill(line, WIDTH, subsequent_indent=hanging, break_long_words=False)


def _conditions(report: dict) -> list[str]:
    row = "{:<14}{:>7}{:>9}{:>8}{:>7}{:>17}{:>17}{:>19}".format
    published = any(each["published"] for each in report["conditions"])
    last = "Leisher & Martin" if published else ""
    head = ("condition", "raters", "ratings", "mean", "sd", "95% interval", "resampled", last)

    def rows(conditions: list[dict]) -> Iterable[str]:
        for each in conditions:
            boot = interval(each["boot_low"], each["boot_high"])
            t = interval(each["ci_low"], each["ci_high"])
            counts = printable(each["condition"], 13), each["raters"], each["ratings"]
            paper = f"{each['published']:g}" if each["published"] else ""
            figures = decimals(each["mean"]), decimals(each["sd"]), t, boot
            yield row(*counts, *figures, paper).rstrip()

    lines = [row(*head).rstrip(), *rows(report["conditions"])]
    if without := report["without_failed"]:
        raters = count(without["raters"], "rater")
        lines += [f"the same without those who failed a check ({raters}):"]
        lines += rows(without.get("conditions", []))
    return [
        *lines,
        "Mean: of the lists' means of rater means; sd: of single ratings.",
        f"{T_INTERVAL} {RESAMPLED}",
        *([PUBLISHED] if published else []),
        *notes(report["conditions"]),
    ]


def _comparison(report: dict, comparison: dict) -> list[str]:
    paired = comparison["paired"]
    spread = f"sd {decimals(paired['sd'])} within lists, dz {decimals(paired['dz'])}"
    lines = [
        f"Difference, {printable(contrast(comparison), 80)}",
        f"  {difference(report, comparison)}",
        f"  {count(paired['n'], 'rater')}: their differences have {spread}",
    ]
    if without := without_failed(report, comparison):
        lines.append(f"  without those who failed a check: {without}")
    row = "{:<2}{:<28}{:<19}{:<16}{:<10}{}".format
    lines.append(row("", "test", "statistic", "95% interval", "p", "speaks for").rstrip())
    for test in tests(report, comparison):
        mark = "*" if test.recommended else ""
        lines.append(
            row(mark, test.name, test.statistic, test.interval, test.p, test.speaks_for).rstrip()
        )
    lines.append(f"  (* {RECOMMENDED})")
    return [*lines, *(f"  {said}" for said in remarks(report, comparison))]


def _fooling(report: dict) -> list[str]:
    row = "{:<14}{:>7}{:>8}{:>8}{:>6}{:>15}{:>15}{:>10}{:>10}".format
    head = "model", "raters", "trials", "fooled", "rate", "95% interval", "resampled", "p"
    groups = [("", report["fooling"])]
    if without := report["without_failed"]:
        raters = count(without["raters"], "rater")
        name = f"the same without those who failed a check ({raters}):"
        groups.append((name, without.get("fooling", [])))
    lines = [row(*head, "Holm" if several(report) else "").rstrip()]
    for name, rates in groups:
        lines += [name] if name else []
        for each in rates:
            t = interval(each["ci_low"], each["ci_high"], percent)
            boot = interval(each["boot_low"], each["boot_high"], percent)
            counts = each["raters"], each["trials"], each["fooled"], percent(each["rate"])
            ps = p_value(each["p"]), p_value(each["p_holm"]) if several(report) else ""
            lines.append(row(printable(each["condition"], 13), *counts, t, boot, *ps).rstrip())
    adjusted = f"; Holm: p adjusted for all {family(report)} tests" if several(report) else ""
    return [
        *lines,
        "Rate: mean of the lists' means of raters' rates, 50% where nobody can tell; p: t test over"
        f" raters against 50%{adjusted}.",
        f"{T_INTERVAL} {RESAMPLED}",
        *notes(report["fooling"]),
    ]


def _overview(report: dict) -> list[str]:
    rows = overview(report)
    if not rows:
        return []
    head = f"difference ({overview_unit(report)})"
    widest = min(44, max(len(name) for name in [head, *(row[0] for row in rows)]))
    row = "{:<{width}}{:>8}{:>18}{:>12}{:>12}".format
    return [
        "",
        row(head, "mean", "95% interval", "p", "Holm", width=widest + 2),
        *(row(printable(name, widest), *rest, width=widest + 2) for name, *rest in rows),
        f"Holm: p adjusted for all {family(report)} tests of the study by Holm's method.",
    ]


def _agreement(report: dict) -> list[str]:
    row = "{:<14}{:<6}{:>7}{:>10}{:>11}{:>17}{:>12}{:>8}".format
    head = "agreement", "list", "raters", "complete", "one rater", "95% interval", "their mean"
    lines = [row(*head, "alpha")]
    for each in report["agreement"]:
        limits = interval(each["icc_low"], each["icc_high"])
        single, whole = decimals(each["icc_single"]), decimals(each["icc_mean"])
        name, of = printable(each["condition"], 13), printable(each["list"], 5)
        counts = each["raters"], "-" if each["complete"] is None else each["complete"]
        lines.append(row(name, of, *counts, single, limits, whole, decimals(each["alpha"])))
    return [
        *lines,
        "1: perfect, 0: none. One rater and their mean: intraclass correlation ICC(2,1) and"
        " ICC(2,k) over the complete raters, who rated all pictures. Alpha: Krippendorff's, over"
        " all raters; it has no interval.",
        *agreement_notes(report["agreement"]),
    ]


def _pictures(report: dict) -> list[str]:
    names = list(dict.fromkeys(each["condition"] for each in report["cells"]))
    compared = [name for name in report["models"] if "control" in names and name in names]
    form = percent if report["protocol"] == "real-or-fake" else decimals
    columns = len(names) + (len(compared) == 1)
    width = max(10, min(20, 60 // columns))
    label = min(40, WIDTH - width * columns)

    def row(picture: str, values: list[str]) -> str:
        named = f"{printable(picture, label - 1):<{label}}"
        return named + "".join(f"{value:>{width}}" for value in values)

    table = report["pictures"]
    shown = table if len(table) <= MANY else table[: MANY // 2] + table[-MANY // 2 :]
    head = [printable(name, width - 2) for name in names]
    lines = [row("picture: mean (raters)", head + ["difference"] * (len(compared) == 1))]
    for number, each in enumerate(shown):
        if len(shown) < len(table) and number == MANY // 2:
            lines.append(f"... {len(table) - len(shown)} more, in --html and --json ...")
        values = [_mean_of(each, name, form) for name in names]
        if len(compared) == 1:
            values.append(decimals(each[f"{compared[0]}_difference"]))
        lines.append(row(each["picture"], values))
    return lines


def _mean_of(picture: dict, condition: str, form: Callable[[float], str]) -> str:
    raters = picture[f"{condition}_raters"]
    return f"{form(picture[f'{condition}_mean'])} ({raters})" if raters else "-"


def _times(report: dict) -> list[str]:
    parts = [
        f"{each['condition']} {decimals(each['median_s'], 1)} "
        f"({interval(each['q25_s'], each['q75_s'], lambda value: decimals(value, 1))})"
        for each in report["response_times"]
    ]
    if not parts:
        return []
    fastest = decimals(report["response_times"][-1]["fastest_s"], 1)
    times = "; ".join(parts)
    return ["", f"Seconds to answer, median (middle half): {times}; fastest {fastest}."]
