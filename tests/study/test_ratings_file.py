"""Tables of ratings from elsewhere: what is read, what is left out and told, what is refused."""

import json
import re
from pathlib import Path

import pytest

from study.errors import StudyError
from study.export.tables import TABLES
from study.report import __main__ as report
from study.report.ratings_file import EXPORT, read_ratings

HEADER = "rater,picture,condition,rating"
ROWS = ["r1,plum,control,8", "r1,pear,generated,3.5", "r2,plum,generated,4", "r2,pear,control,9"]
TABLE = [["r1", "plum", "control", 8], ["r1", "pear", "generated", 3.5],
         ["r2", "plum", "generated", 4], ["r2", "pear", "control", 9]]  # fmt: skip


@pytest.fixture
def write(tmp_path: Path):
    """Write a file of these lines, or of this content, and return it."""

    def write(*lines: str, content: bytes | None = None) -> Path:
        file = tmp_path / "ratings.csv"
        file.write_bytes("\n".join(lines).encode() if content is None else content)
        return file

    return write


def refused(file: Path, *arguments) -> str:
    """The one sentence that refuses the file."""
    with pytest.raises(StudyError) as caught:
        read_ratings(file, *arguments)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    return str(caught.value)


def with_commas(separator: str) -> list[str]:
    """The table with decimal commas and this between the fields."""
    return [line.replace(",", separator).replace(".", ",") for line in (HEADER, *ROWS)]


@pytest.mark.parametrize(
    "content",
    [
        "\r\n".join(with_commas(";")).encode(),
        "\n".join(with_commas("\t")).encode(),
        "\n".join(with_commas("\t")).encode("utf-16"),
        "\r\n".join(["sep=,", HEADER, *ROWS]).encode(),
        "\r\n".join(["sep=|", *with_commas("|")]).encode(),
        "\r\n".join(["\ufeff" + HEADER, *ROWS, ",,,"]).encode(),
        "\n".join(["", f" {HEADER.upper().replace(',', ' , ')}", *ROWS]).encode(),
        "\n".join([HEADER, *ROWS]).replace("control", "Control").encode(),
        "\n".join([HEADER, *ROWS]).replace("3.5", '"3,50"').encode(),
    ],
    ids=["semicolons", "tabs", "UTF-16", "sep=,", "sep=|", "BOM and empty cells", "capital names",
         "capital condition", "quoted decimal comma"],
)  # fmt: skip
def test_what_spreadsheets_write_is_read(content, write):
    source = read_ratings(write(content=content))
    assert source.table.to_numpy().tolist() == TABLE
    assert source.notes == ()


def test_only_the_four_columns_count_and_the_others_are_told(write, capsys):
    """Own columns whose names mean something in an export, which has one more."""
    own = dict.fromkeys(set(EXPORT) - {*HEADER.split(","), "simulated"}, "false")
    own |= {"arm": "control", "purpose": "practice", "Rating": "1", "": "row 1"}
    file = write(
        ",".join([HEADER, *sorted(own)]),
        *(",".join([row, *(own[name] for name in sorted(own))]) for row in ROWS),
    )
    assert read_ratings(file).table.to_numpy().tolist() == TABLE
    told = "10 columns not used: one without a name, Rating, arm, choice, finished, kind, list,"
    assert report.main(["--ratings", str(file)]) == 0
    assert told in " ".join(capsys.readouterr().out.split())
    report.main(["--ratings", str(file), "--json"])
    assert json.loads(capsys.readouterr().out)["notes"][0].startswith(told)
    report.main(["--ratings", str(file), "--csv"])
    assert told in capsys.readouterr().out


def test_other_names_for_columns_and_for_the_control(write, capsys):
    """A column in the place of `condition` counts although one of that name is there."""
    rows = [row.replace("control", "original").replace("generated", "mine") for row in ROWS]
    file = write("Subject;picture;Method;score;condition", *(
        ";".join([*row.split(","), "control"]) for row in rows
    ))  # fmt: skip
    arguments = ["--map", "rater=subject", "condition=Method", "--map", "rating=score"]
    assert report.main(["--ratings", str(file), *arguments, "--control", "Original"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "8.50 for true colours and 3.75 for the colours of mine" in told
    assert "1 column not used: condition. Its control is the condition original." in told


def test_the_header_lines_of_a_survey_tool_are_left_out_and_told(write):
    questions = '"Who?","Which\npicture?",condition,"Rate it, from 0 to 10"'
    ids = ",".join(f'"{{""ImportId"":""QID{number}""}}"' for number in range(4))
    source = read_ratings(write(HEADER, questions, ids, *ROWS[:2], HEADER.title(), *ROWS[2:]))
    assert source.table.to_numpy().tolist() == TABLE
    assert source.notes == ("3 further header lines left out.",)
    said = refused(write(HEADER, ",,,Response", *ROWS))
    assert "Line 2: the rating 'Response' is no number; delete the line if it is a second" in said
    assert "Line 4: the rating 'x' is not" in refused(write(HEADER, *ROWS[:2], "r3,plum,control,x"))


def test_of_an_export_only_main_pairs_count_and_the_others_are_told(write):
    values = {"study": "s", "simulated": "false", "arm": "control", "finished": "WAHR"}
    purposes = ("main", "practice", "attention", "main")
    more = [name for name in EXPORT if name not in HEADER.split(",")]
    lines = [
        ";".join([*row.split(","), *((values | {"purpose": purpose}).get(n, "") for n in more)])
        for row, purpose in zip(ROWS, purposes, strict=True)
    ]
    lines = [";".join([*HEADER.split(","), *more, "note"]), *(f"{line};x" for line in lines)]
    assert "Line 2: finished is neither true nor false." in refused(write(*lines))
    lines = [line.replace("WAHR", "TRUE") for line in lines]
    source = read_ratings(write(*lines))
    assert source.table["picture"].tolist() == ["plum", "pear"]
    assert source.notes == (
        "1 column not used: note.",
        "2 answers to practice and attention pairs left out.",
    )
    assert "leave out --map and --control" in refused(write(*lines), None, "control")


def test_an_export_is_known_by_its_columns():
    assert set(EXPORT) <= {column.name for column in TABLES["ratings"].columns}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["r1,plum,control,8", "", "r1,pear,control,11"], "Line 4: the rating '11' is not in 0,"),
        (["r1,plum,control,8.3"], "Line 2: the rating '8.3' is not in 0,"),
        (["r1,plum,control,"], "Line 2: the rating '' is not in 0,"),
        ([",plum,control,8"], "Line 2: the rater is empty"),
        (["r1,,control,8"], "Line 2: the picture is empty"),
        (["r1,plum,,8"], "Line 2: the condition '' is not control or the name of a model."),
        (["r1,plum,control,8"] * 2, "Line 3: 'r1' has already rated 'plum' as control, on line 2."),
        (["r1,plum,control,8,5"], "Line 2: 5 fields where the header has 4."),
        (["r1,plum,control"], "Line 2: 3 fields where the header has 4."),
        (['r1,"plum,control,8'], "Line 2: unexpected end of data."),
        (
            ["r1,plum,original,8", "r1,pear,mine,8"],
            "No condition is called 'control'; --control NAME says which of these is in true"
            " colours: original, mine.",
        ),
        (
            ["r1,plum,control,8", "r1,pear,Control,8"],
            "The conditions 'control' and 'Control' differ in capitals.",
        ),
        ([f"r1,plum,p{n},8" for n in range(30)], "30 conditions, such as p0, p1, p2; a report"),
    ],
)
def test_invalid_rows_get_one_sentence_with_their_line(lines, sentence, write):
    assert sentence in refused(write(HEADER, *lines))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "No column rater, picture, condition, rating; needed are"),
        (b"rater;picture;condition;score\n", "No column rating; needed are rater, picture,"),
        (b"Subject\tItem\n", "The columns are: Subject, Item."),
        (b"rater,picture,condition,Rating,RATING\n", "column rating occurs more than once"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not a CSV file in UTF-8 text"),
        ("rater,picture,condition,rating\nMüller".encode("cp1252"), "save it as CSV UTF-8"),
        (b"PK\x03\x04\0\0\0", "is a workbook, not a CSV file"),
    ],
)
def test_files_that_are_no_ratings(content, sentence, write):
    assert sentence in refused(write(content=content))


def test_names_that_cannot_be_meant(write, capsys):
    file = write(HEADER, *ROWS)
    for arguments, sentence in (
        (["--ratings", str(file), "--map", "who=Subject"], "--map who=Subject: give each of rater"),
        (["--ratings", str(file), "--map", "rater=a", "rater=b"], "--map rater=b: give each of"),
        (["--ratings", str(file), "--map", "rater=picture"], "gives one column two meanings"),
        (["--ratings", str(file), "--control", "generat"], "No condition is called 'generat'"),
        (["--ratings", str(file), "--control", "generated"], "cannot be the control beside"),
        (["--control", "x"], "--map and --control are for the table of --ratings."),
    ):
        assert report.main(arguments) == 2
        error = capsys.readouterr().err
        assert re.fullmatch(f"study.report: .*{re.escape(sentence)}.*\n", error)
