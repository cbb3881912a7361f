"""The report as its reader meets it: text, JSON, files and one-sentence errors."""

import html
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study import wording as words
from study.report import __main__ as report

HEADER = "rater,picture,condition,rating"
# The further columns of an export that a report reads, and what they hold unless a test says more.
EXPORT = {"study": "s", "simulated": "false", "purpose": "main", "arm": "", "choice": "",
          "list": "", "kind": "", "response_ms": "", "finished": "true"}  # fmt: skip
CONTROL = ["9 8 10 9 8", "8 9 7 8 9", "10 9 9 8 10", "8 7 9 9 7"]  # 171 / 20 = 8.55
GENERATED = ["3 2 4 5 3", "2 3.5 1 4 3", "5 4 3 4 6", "2 3 1 4 2"]  # 64.5 / 20 = 3.225
PAPER_ROWS = [
    f"r{rater},{condition[0]}{number},{condition},{rating}"
    for condition, raters in (("control", CONTROL), ("generated", GENERATED))
    for rater, ratings in enumerate(raters)
    for number, rating in enumerate(ratings.split())
]


@pytest.fixture
def write(tmp_path):
    """Write a CSV file of the given lines and return its path as text."""

    def write(*rows: str, header: str = HEADER, lines: Iterable[str] = ()) -> str:
        path = tmp_path / "ratings.csv"
        path.write_text("\n".join([header, *rows, *lines]) + "\n", encoding="utf-8")
        return str(path)

    return write


def exported(*rows: str, **columns: str | list[str]) -> dict:
    """The lines and the header of an export with these rows and columns, as `write` takes them."""
    of = {name: columns.get(name, value) for name, value in EXPORT.items()}
    of = {name: [value] * len(rows) if isinstance(value, str) else value
          for name, value in of.items()}  # fmt: skip
    lines = (",".join(fields) for fields in zip(rows, *of.values(), strict=True))
    return {"lines": lines, "header": ",".join([HEADER, *EXPORT])}


def cells(text: str, start: str) -> list[str]:
    """The words of the first line that starts so."""
    return next(line for line in text.splitlines() if line.startswith(start)).split()


def failure(capsys, *argv: str) -> str:
    """Run the report, expect status 2 and one line on standard error; return the line."""
    assert report.main(list(argv)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("study.report: ")
    assert err.count("\n") == 1
    return err


def test_it_begins_with_a_paragraph_to_quote(write, capsys):
    assert report.main(["--ratings", write(*PAPER_ROWS)]) == 0
    paragraph = " ".join(capsys.readouterr().out.split("\n\n")[0].split())
    assert paragraph == (
        "4 raters gave 40 ratings of 10 pictures, from 0 (worst) to 10 (best). The mean rating was"
        " 8.55 for true colours and 3.225 for generated colours. The difference was 5.325 points"
        " (95% interval 4.54 to 6.11; quasi-F test, t(8) = 15.66, p < .001). The means that Leisher"
        " & Martin published, of four raters, are 8.55 and 3.225. The test generalizes to other"
        " raters and pictures. With only 4 raters no permutation test can reach less than p = .125:"
        " the t test goes below it by assuming that rater means are normally distributed, which so"
        " few raters cannot show. Each picture was shown in one condition only, so a difference"
        " between the conditions may also be one between their pictures."
    )


def test_paper_table_prints_exactly(write, capsys):
    assert report.main(["--ratings", write(*PAPER_ROWS)]) == 0
    text = capsys.readouterr().out
    told = " ".join(text.split())
    assert "control 4 20 8.55 0.94 7.67 to 9.43 7.83 to 9.25 8.55 generated" in told
    assert "generated 4 20 3.225 1.32 1.81 to 4.64 2.08 to 4.33 3.225 Mean" in told
    assert "deviation 0.36 within lists and Cohen's dz 14.82" in told
    assert "by-participant t test t(3) = 29.63 4.75 to 5.90 p < .001" in told
    assert "exact sign-flip test p = .125" in told
    assert "smallest possible p of the sign-flip test is 0.125" in told
    assert "A by-participant test then says nothing about other pictures" in told
    assert text.index("What this cannot show") < text.index("- Each of the 10 pictures")


def test_several_lists_are_not_the_papers_protocol_and_few_raters_cannot_show_much(write, capsys):
    report.main(["--ratings", write(*uneven_rows(3, 1))])
    told = " ".join(capsys.readouterr().out.split())
    assert "Leisher" not in told
    assert "With only 4 raters no permutation test can reach less than p = .125: the t test" in told
    report.main(["--ratings", write(*uneven_rows())])
    told = " ".join(capsys.readouterr().out.split())
    assert (
        "The interval and the test assume that rater means are roughly normally distributed, which"
        " 12 raters are too few to check."
    ) in told


def test_the_paragraph_on_fakes_names_models_as_they_are_spelled(write, capsys):
    rows = [f"{r},{p},generated,{(r + p) % 3 // 2}" for r in range(4) for p in range(5)]
    report.main(["--ratings", write(**exported(*rows, arm="ColorNet", choice="left"))])
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith("4 raters looked for the fake in 20 pairs, made from 5 pictures; ")
    assert "The colours of ColorNet were taken for true in " in told


def uneven_rows(first: int = 9, second: int = 3) -> list[str]:
    """Raters of two lists, whose pictures differ by some points; control is better by one."""
    rng = np.random.default_rng(4)
    rows = []
    for rater in range(first + second):
        for picture, quality in enumerate((2, 7, 3, 6, 1, 5)):
            condition = ("control", "generated")[(picture + (rater >= first)) % 2]
            rating = np.clip(quality + (condition == "control") + rng.integers(-1, 2), 0, 10)
            rows.append(f"{rater},{picture},{condition},{rating}")
    return rows


def test_there_is_one_difference_wherever_it_is_told(write, capsys, tmp_path):
    """Lists of three raters and one: the plain mean over raters would be another difference."""
    path, page = write(*uneven_rows(3, 1)), tmp_path / "report.html"
    assert report.main(["--ratings", path, "--html", str(page), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    (comparison,) = figures["comparisons"]
    tests = comparison["tests"]
    control, generated = (row["mean"] for row in figures["conditions"])
    for told in (tests["both"], tests["raters"], tests["pictures"], comparison["paired"]):
        assert told["mean"] == pytest.approx(control - generated)
    plain = [row.split(",") for row in uneven_rows(3, 1)]
    of_raters = [
        np.mean([int(r) for n, _, c, r in plain if (n, c) == (f"{rater}", "control")])
        - np.mean([int(r) for n, _, c, r in plain if (n, c) == (f"{rater}", "generated")])
        for rater in range(4)
    ]
    assert abs(np.mean(of_raters) - (control - generated)) > 0.5
    report.main(["--ratings", path])
    text = capsys.readouterr().out
    shown = words.exactly(control - generated)
    limits = words.interval(tests["both"]["ci_low"], tests["both"]["ci_high"])
    assert f"{shown} points (95% interval {limits}; quasi-F test, " in " ".join(text.split())
    page = html.unescape(page.read_text()).replace("\N{NO-BREAK SPACE}", " ")
    assert f"{shown} points (95% interval {limits}; quasi-F test, " in page
    assert f"difference {shown}</text>" in page, "in the plot"
    assert "control - generated (points)</text>" in page, "on its axis"
    assert words.exactly(np.mean(of_raters)) not in text + page


def test_intervals_end_with_the_scale(write, capsys, tmp_path):
    high = [f"r{r},p{p},control,{min(10, 8 + r + p)}" for r in range(4) for p in range(2)]
    low = [f"r{r},q{p},generated,{r % 2}" for r in range(4) for p in range(2)]
    report.main(["--ratings", write(*high, *low), "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert [figures["conditions"][0]["ci_high"], figures["conditions"][1]["ci_low"]] == [10, 0]
    assert max(test["ci_high"] or 0 for test in figures["comparisons"][0]["tests"].values()
               if test and "ci_high" in test) <= 10  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [f"{row.rsplit(',', 1)[0]},7" for row in PAPER_ROWS],
            "The difference was 0.00 points. All raters show the same difference, so it has no"
            " interval and no t test.",
        ),
        (
            PAPER_ROWS[:20],
            "There are no ratings of generated colours, so the conditions cannot be compared.",
        ),
    ],
    ids=["all equal", "one condition"],
)
def test_without_a_test_a_sentence_says_why(rows, sentence, write, capsys, tmp_path):
    page = tmp_path / "report.html"
    report.main(["--ratings", write(*rows), "--html", str(page)])
    text = " ".join(capsys.readouterr().out.split())
    assert sentence in text
    assert "p = -" not in text
    assert "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}-" not in page.read_text()


def test_an_interval_keeps_its_sign_in_the_table_of_tests(write, capsys):
    swapped = [row.replace("control", "x").replace("generated", "control") for row in PAPER_ROWS]
    report.main(["--ratings", write(*(row.replace("x", "generated") for row in swapped))])
    told = " ".join(capsys.readouterr().out.split())
    assert "The difference was -5.325 points (95% interval -6.11 to -4.54; " in told
    assert "quasi-F test t(8) = -15.66 -6.11 to -4.54 p < .001" in told


def test_the_summary_is_no_formula_either(write, tmp_path, capsys):
    rows = [row.replace("generated", "=1+1") for row in PAPER_ROWS]
    rows += [row.replace("generated", "+2") for row in PAPER_ROWS[20:]]
    path, out = write(*rows), tmp_path / "summary.csv"
    assert report.main(["--ratings", path, "--csv", str(out)]) == 0
    assert report.main(["--ratings", path, "--csv"]) == 0
    for text in (out.read_text(), capsys.readouterr().out[-len(out.read_text()) :]):
        of_conditions = [line.split(",") for line in text.splitlines() if "condition," in line]
        assert [fields[1] for fields in of_conditions[1:]] == ["control", "'=1+1", "'+2"]


def test_no_line_is_longer_than_100_characters(write, capsys):
    for rows in (PAPER_ROWS, uneven_rows()):
        report.main(["--ratings", write(*rows)])
        assert max(map(len, capsys.readouterr().out.splitlines()[1:])) <= 100


def test_columns_line_up(write, capsys):
    report.main(["--ratings", write(*PAPER_ROWS)])
    lines = capsys.readouterr().out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("condition"))
    assert len({len(line) for line in lines[first : first + 3]}) == 1


def test_json_holds_the_same_figures(write, capsys):
    assert report.main(["--ratings", write(*PAPER_ROWS), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert [row["mean"] for row in figures["conditions"]] == [8.55, 3.225]
    assert [row["published"] for row in figures["conditions"]] == [8.55, 3.225]
    (comparison,) = figures["comparisons"]
    assert comparison["paired"]["p_signflip"] == 0.125
    assert figures["sessions"]["unfinished_with_ratings"] is None
    assert len(figures["caveats"]) == 4


def several_models(rng: np.random.Generator) -> list[str]:
    """Nine raters of three lists; zhang's colours are worse than colornet's."""
    arms = {"control": 8, "colornet": 7, "zhang": 3}
    return [
        f"{rater},{picture},{arm},{arms[arm] + rng.integers(-1, 2)}"
        for rater in range(9)
        for picture in range(6)
        for arm in [[*arms][(rater + picture) % 3]]
    ]


def test_models_are_compared_with_each_other_and_all_p_values_adjusted(write, tmp_path, capsys):
    path = write(*several_models(np.random.default_rng(0)))
    page = tmp_path / "report.html"
    assert report.main(["--ratings", path, "--json", "--html", str(page)]) == 0
    compared = json.loads(capsys.readouterr().out)["comparisons"]
    pairs = [("control", "colornet"), ("control", "zhang"), ("colornet", "zhang")]
    assert [(each["reference"], each["condition"]) for each in compared] == pairs
    means = [each["tests"]["both"]["mean"] for each in compared]
    assert means[1] - means[0] == pytest.approx(means[2])
    p = sorted((each["tests"]["both"]["p"], each["p_holm"]) for each in compared)
    assert p[0][1] == pytest.approx(3 * p[0][0])
    assert p[2][1] == pytest.approx(max(3 * p[0][0], 2 * p[1][0], p[2][0]))
    headline = f"Holm-adjusted {words.p_value(compared[0]['p_holm'])}, unadjusted "
    assert report.main(["--ratings", path]) == 0
    text = capsys.readouterr().out
    assert cells(text, "colornet - zhang")[3] == words.exactly(means[2])
    assert headline in " ".join(text.split())
    page = html.unescape(page.read_text()).replace("\N{NO-BREAK SPACE}", " ")
    assert page.count(headline) == 2, "the paragraph and the sentence above the tests"
    assert '<th scope="row">colornet - zhang</th>' in page
    report.main(["--ratings", path, "--csv"])
    assert "difference,zhang,9,," in capsys.readouterr().out


DEGENERATE = {
    "one rater": PAPER_ROWS[:5] + PAPER_ROWS[20:25],
    "one rating": PAPER_ROWS[:1],
    "one condition": PAPER_ROWS[:20],
    "no pairs": PAPER_ROWS[:5] + PAPER_ROWS[25:30],
    "missing cells": PAPER_ROWS[::3],
    "all equal": [f"{row.rsplit(',', 1)[0]},7" for row in PAPER_ROWS],
}


@pytest.mark.parametrize("rows", DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.filterwarnings("error")
def test_degenerate_tables_are_reported_without_nan(rows, write, capsys, tmp_path):
    path, plot = write(*rows), tmp_path / "plot.png"
    assert report.main(["--ratings", path, "--plot", str(plot)]) == 0
    text = capsys.readouterr().out
    assert "nan" not in text.lower()
    assert "None" not in text
    assert plot.stat().st_size > 10_000
    assert report.main(["--ratings", path, "--json"]) == 0
    json.loads(capsys.readouterr().out, parse_constant=pytest.fail)  # called for NaN


def test_no_ratings_yet(write, capsys, tmp_path):
    plot = tmp_path / "plot.png"
    assert report.main(["--ratings", write(), "--plot", str(plot)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("No ratings yet in ")
    assert (out.count("\n"), err) == (1, "")
    assert not plot.exists()
    assert report.main(["--ratings", write(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ratings"] == 0


def test_unfinished_sessions_are_left_out_unless_wanted(write, capsys):
    finished = ["FALSE" if row.startswith("r3") else "true" for row in PAPER_ROWS]
    path = write(**exported(*PAPER_ROWS, finished=finished))
    assert report.main(["--ratings", path]) == 0
    text = capsys.readouterr().out
    assert "Unfinished sessions with ratings: 1, holding 10 ratings; left out." in text
    assert cells(text, "control")[1:3] == ["3", "15"]
    assert report.main(["--ratings", path, "--unfinished"]) == 0
    text = capsys.readouterr().out
    assert "Unfinished sessions with ratings: 1, holding 10 ratings; included." in text
    assert cells(text, "control")[3] == "8.55"


def test_only_unfinished_sessions(write, capsys):
    path = write(**exported(*PAPER_ROWS[:12], finished="0"))
    assert report.main(["--ratings", path]) == 0
    text = capsys.readouterr().out
    assert text.startswith("No finished session yet in ")
    assert "3 unfinished sessions with 12 ratings left out; --unfinished counts them." in text
    assert text.count("\n") == 1


def test_summary_csv(write, tmp_path):
    out = tmp_path / "summary.csv"
    path = write(**exported(*PAPER_ROWS, simulated="true"))
    assert report.main(["--ratings", path, "--csv", str(out)]) == 0
    summary = pd.read_csv(out)
    assert ",".join(summary).endswith(",reference,p_holm,t,df,p,method,picture,simulated")
    assert summary["simulated"].all()
    assert summary["what"].tolist() == ["condition"] * 2 + ["difference"] + ["picture"] * 20
    assert summary["condition"].tolist()[:3] == ["control", "generated", "generated"]
    assert summary["mean"].tolist()[:3] == [8.55, 3.225, 5.325]
    assert summary["picture"].notna().sum() == 20


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_the_plot_is_written_in_the_format_of_its_name(ending, start, write, tmp_path):
    out = tmp_path / f"plot.{ending}"
    assert report.main(["--ratings", write(*PAPER_ROWS), "--plot", str(out)]) == 0
    assert out.read_bytes().startswith(start)


def test_paths_that_cannot_be_used(write, tmp_path, capsys):
    path, missing = write(*PAPER_ROWS), tmp_path / "missing"
    assert "No such file" in failure(capsys, "--ratings", str(missing))
    assert "Is a directory" in failure(capsys, "--ratings", str(tmp_path))
    for option in ("--csv", "--plot"):
        target = str(missing / "out.png")
        assert f"{target}: No such file" in failure(capsys, "--ratings", path, option, target)
    assert "not supported" in failure(capsys, "--ratings", path, "--plot", f"{missing}.xyz")


def test_flags_that_contradict_each_other(write, capsys):
    path = write(*PAPER_ROWS)
    assert "leave out --db and --study" in failure(capsys, "--ratings", path, "--study", "pilot")
    assert "is no export" in failure(capsys, "--ratings", path, "--unfinished")


@pytest.mark.process
def test_a_reader_that_has_had_enough_ends_it_quietly(write):
    command = f"{sys.executable} -m study.report --ratings {write(*PAPER_ROWS)} --json | head -1"
    root = Path(__file__).parents[2]
    done = subprocess.run(command, shell=True, cwd=root, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_csv_without_a_file_goes_to_standard_output(write, capsys):
    assert report.main(["--ratings", write(*PAPER_ROWS), "--csv"]) == 0
    header, control, generated, difference, *_ = capsys.readouterr().out.splitlines()
    assert header.startswith("what,condition,raters,ratings,mean")
    assert control.startswith("condition,control,4,20,8.55,")
    assert generated.startswith("condition,generated,4,20,3.225,")
    assert difference.startswith("difference,generated,4,,5.325,")
