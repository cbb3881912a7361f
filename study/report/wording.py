"""What the text and the page of a report share: sentences, rows of tests, numbers in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from study.stats.contrasts import OTHER_BOTH, OTHER_RATERS
from study.stats.ratings import CONTROL
from study.wording import count, decimals, degrees, interval, p_value, percentage_points, points

SIMULATED = (
    "SIMULATED RATERS: programs gave these ratings. They try out the study and are no result about"
    " people."
)
PAPER_DESIGN = (
    "In the paper's design a picture is always control or always generated. A test over raters "
    "then says nothing about other pictures; the test over pictures, item by item, does."
)
RECOMMENDED = "recommended, each for what it speaks for; the others are for reference"
T_INTERVAL = (
    "The 95% interval is a t interval over raters, within lists: it allows for other raters of"
    " these pictures."
)
RESAMPLED = (
    "The resampled interval is a bootstrap interval, raters and pictures drawn anew: it allows for"
    " other raters and other pictures."
)
PUBLISHED = "Leisher & Martin: the published means of four raters, with other pictures."
NAMED = 12  # raters who failed a check, at most
DESIGNS = {"counterbalanced": "counterbalanced", "paper": "the paper's design"}


@dataclass(frozen=True)
class Test:
    """A row of the table of tests."""

    name: str
    statistic: str
    interval: str
    p: str
    speaks_for: str
    recommended: bool = False


def nothing(report: dict) -> str:
    """The sentence for a report without ratings."""
    sessions = report["sessions"]
    if not sessions["unfinished_ratings"]:
        return f"No ratings yet in {report['source']}."
    return (
        f"No finished session yet in {report['source']}: "
        f"{count(sessions['unfinished_with_ratings'], 'unfinished session')} with "
        f"{count(sessions['unfinished_ratings'], 'rating')} left out; --unfinished counts them."
    )


def who(report: dict) -> list[str]:
    """Raters, sessions, exclusions and the ratings in each cell, in sentences."""
    sessions = report["sessions"]
    said = [f"{count(report['raters'], 'rater')}, {count(report['ratings'], 'rating')}."]
    if sessions["begun"] is not None:
        said.append(f"Sessions: {sessions['begun']} begun, {sessions['finished']} finished.")
    if sessions["unfinished_ratings"] is None:
        said.append("The file does not tell finished from unfinished sessions; all ratings count.")
    elif sessions["unfinished_ratings"]:
        counted = "included" if sessions["unfinished_included"] else "left out"
        said.append(
            f"Unfinished sessions with ratings: {sessions['unfinished_with_ratings']}, holding "
            f"{count(sessions['unfinished_ratings'], 'rating')}; {counted}."
        )
    lines = [" ".join(said)]
    if number := sessions["forgotten"]:
        were = "was" if number == 1 else "were"
        lines.append(f"{count(number, 'rater')} {were} deleted later on, with all ratings.")
    if number := report["simulated_left_out"]:
        lines.append(f"{count(number, 'simulated rater')} left out: only people count.")
    return [*lines, *_exclusions(report["exclusions"]), *cells(report["cells"])]


def _exclusions(excluded: list[dict] | None) -> list[str]:
    if excluded is None:
        return []
    if not excluded:
        return ["Nobody failed a quality check."]
    shown = [f"rater {each['rater']} ({each['reasons']})" for each in excluded[:NAMED]]
    if more := len(excluded) - len(shown):
        shown.append(f"and {more} more")
    raters = count(len(excluded), "rater")
    return [f"{raters} failed a quality check; the main figures count them: {'; '.join(shown)}."]


def cells(rows: list[dict]) -> list[str]:
    """A line for each list: "Ratings in list A: control 60, generated 58 (2 missing)"."""
    said: dict[str, list[str]] = {}
    for row in rows:
        missing = f" ({row['missing']} missing)" if row["missing"] else ""
        text = f"{row['condition']} {row['ratings']}{missing}"
        said.setdefault(f"{row['list']}", []).append(text)
    return [f"Ratings in list {name}: {', '.join(texts)}." for name, texts in said.items()]


def best(report: dict, comparison: dict) -> dict:
    """The test whose mean, interval and p are shown as the difference.

    The first that is recommended; where that is undefined, the next.
    """
    recommended = [comparison["tests"][key] for key in report["recommended"]]
    return next((test for test in recommended if test["p"] is not None), recommended[0])


def tests(report: dict, comparison: dict) -> list[Test]:
    """All tests of a difference, the recommended one marked."""
    found, paired = comparison["tests"], comparison["paired"]
    rows = []
    for name, test in (
        ("t test, raters and pictures", found["both"]),
        ("t test, raters", found["raters"]),
        ("t test, pictures", found["pictures"]),
        ("paired t test", paired),
    ):
        named = f"t({degrees(test['df'])}) = {decimals(test['t'])}"
        statistic = "-" if test["t"] is None else named
        limits = interval(test["ci_low"], test["ci_high"])
        marked = any(test is found[key] for key in report["recommended"])
        rows.append(Test(name, statistic, limits, p_value(test["p"]), test["speaks_for"], marked))
    kind = "exact" if paired["exact"] else "sampled"
    p = p_value(paired["p_signflip"])
    rows.append(Test(f"{kind} sign-flip test", "", "", p, OTHER_RATERS))
    if _lists(report) == 2:  # with others it is the sign-flip test again
        kind = "exact" if found["permutation"]["exact"] else "sampled"
        p = p_value(found["permutation"]["p"])
        rows.append(Test(f"{kind} exchange of lists", "", "", p, OTHER_RATERS))
    signed = found["wilcoxon"]
    statistic = "-"
    if signed["w"] is not None:
        statistic = f"W = {abs(signed['w']):g}, r = {decimals(signed['rank_biserial'])}"
    rows.append(Test("Wilcoxon signed-rank", statistic, "", p_value(signed["p"]), OTHER_RATERS))
    model = found["mixed"]
    statistic = "-" if model["z"] is None else f"z = {decimals(model['z'])}"
    limits = interval(model["ci_low"], model["ci_high"])
    rows.append(Test("mixed model", statistic, limits, p_value(model["p"]), OTHER_BOTH))
    return rows


def contrast(comparison: dict) -> str:
    """What is subtracted from what."""
    return f"{comparison['reference']} - {comparison['condition']}"


def with_control(report: dict) -> list[dict]:
    """The comparisons that are reported with all tests; two models only meet in an overview."""
    return [each for each in report["comparisons"] if each["reference"] == CONTROL]


def several(report: dict) -> bool:
    """Whether there is more than one p value to adjust."""
    return len(report["comparisons"]) + len(report["fooling"]) > 1


def family(report: dict) -> int:
    """How many p values are adjusted together; one that is undefined is none."""
    rows = report["comparisons"] + report["fooling"]
    return sum(row["p_holm"] is not None for row in rows)


def difference(report: dict, comparison: dict) -> str:
    """Mean, interval and p of one and the same test, with its name."""
    test = best(report, comparison)
    limits = interval(test["ci_low"], test["ci_high"])
    p = headline_p(report, comparison)
    return f"mean {decimals(test['mean'])}, 95% interval {limits}, {p} ({test['method']})"


def headline_p(report: dict, comparison: dict) -> str:
    """The p of `best`: the adjusted one first where there are several, and it is called so."""
    p = p_value(best(report, comparison)["p"])
    if not several(report):
        return p
    adjusted = comparison["p_holm"]
    first = "" if adjusted is None else f"Holm-adjusted {p_value(adjusted)}, "
    return f"{first}unadjusted {p}"


def overview(report: dict) -> list[list[str]]:
    """All differences where there are several, a row each: name, mean, interval, p, adjusted p."""
    form = percentage_points if report["protocol"] == "real-or-fake" else decimals
    rows = []
    for each in report["comparisons"] if several(report) else []:
        test = best(report, each)
        limits = interval(test["ci_low"], test["ci_high"], form)
        ps = p_value(test["p"]), p_value(each["p_holm"])
        rows.append([contrast(each), form(test["mean"]), limits, *ps])
    return rows


def overview_unit(report: dict) -> str:
    return "percentage points" if report["protocol"] == "real-or-fake" else "points"


def without_failed(report: dict, comparison: dict) -> str:
    """The `difference` without those who failed a check, or ""."""
    if not report["without_failed"]:
        return ""
    for each in report["without_failed"].get("comparisons", []):
        if contrast(each) == contrast(comparison):
            return difference(report, each)
    return "nobody is left"


def remarks(report: dict, comparison: dict) -> list[str]:
    """Sentences that belong under the table of tests."""
    found, said = comparison["tests"], []
    if report["design"] == "paper":
        said.append(PAPER_DESIGN)
    said += [comparison["paired"]["note"], *_notes(report, found)]
    said += [_fallback(found["mixed"]), _spread(found["mixed"])]
    said += [equivalence(comparison["equivalence"])]
    known = set(report["caveats"])
    return [text for text in dict.fromkeys(said) if text and text not in known]


def order(report: dict) -> str:
    """In which order the pictures come."""
    first = report["models"][0]
    of = f" for {first}" if len(report["models"]) > 1 else ""
    if report["protocol"] == "real-or-fake":
        return f"the most often taken for true first{of}"
    if all(each.get(f"{first}_difference") is None for each in report["pictures"]):
        return "by name"
    return f"the largest difference first{of}"


def notes(rows: list[dict]) -> list[str]:
    """What the rows of a table have to say, each sentence once."""
    return list(dict.fromkeys(row["note"] for row in rows if row["note"]))


def agreement_notes(rows: list[dict]) -> list[str]:
    """`notes`, with the conditions and lists that each is about."""
    found: dict[str, list[str]] = {}
    for row in rows:
        where = "all lists" if row["list"] == "all" else f"list {row['list']}"
        found.setdefault(row["note"], []).append(f"{row['condition']} in {where}")
    return [f"{note.removesuffix('.')}: {', '.join(at)}." for note, at in found.items() if note]


def _notes(report: dict, found: dict) -> Iterable[str]:
    for key, test in found.items():
        if key != "permutation":
            yield test["note"]
        elif _lists(report) == 2:
            yield test["note"].replace("this test", "the exchange of lists")


def _lists(report: dict) -> int:
    return len({cell["list"] for cell in report["cells"]})


def _fallback(model: dict) -> str:
    if model["converged"] or not model["fallback"] or model["fallback"]["p"] is None:
        return ""
    return f"In its place: {model['fallback']['method']}, {p_value(model['fallback']['p'])}."


def _spread(model: dict) -> str:
    if not model["converged"]:
        return ""
    names = {
        "sd_rater": "raters",
        "sd_picture": "pictures",
        "sd_rater_effect": "raters' differences",
        "sd_picture_effect": "pictures' differences",
        "sd_residual": "the rest",
    }
    parts = [
        f"{name} {decimals(model[key])}" for key, name in names.items() if model[key] is not None
    ]
    return f"Mixed model, standard deviations: {', '.join(parts)}."


def equivalence(test: dict | None) -> str:
    """The result of the equivalence test in a sentence, "" where no margin was fixed."""
    if test is None:
        return ""
    within = f"Equivalent within {points(test['margin'])} (margin of the study file)?"
    if test["equivalent"] is None:
        return f"{within} It cannot be tested."
    answer = "Yes" if test["equivalent"] else "Not shown"
    limits = interval(test["ci_low"], test["ci_high"])
    return f"{within} {answer}: two one-sided t tests, {p_value(test['p'])}, 90% interval {limits}."
