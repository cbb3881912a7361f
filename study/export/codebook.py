"""The codebook of an export: what each table and each column means."""

from study.export.tables import TABLES

NOTES = (
    "Rows of simulated raters are marked: `simulated` is true. They are not people.",
    "CSV: UTF-8, RFC 4180; with `--excel` it begins with a byte order mark. A text that a"
    " spreadsheet would take for a formula, because it begins with = + - @ (full-width ones too), a"
    " tab or a new line, has an apostrophe put before it; in JSON it stands as it was given."
    " Numbers are numbers. An empty cell (JSON: null) is unknown or does not apply.",
    "Half of a surrogate pair, which a browser may send, is not a character and is stored as ?.",
    "`python -m study.report --ratings ratings.csv` analyses the export.",
)


def as_json(names: list[str]) -> dict:
    """The codebook of these tables."""
    return {
        "notes": list(NOTES),
        "tables": {
            name: {
                "about": TABLES[name].about,
                "columns": {
                    column.name: {"meaning": column.meaning, "values": column.values}
                    for column in TABLES[name].columns
                },
            }
            for name in names
        },
    }


def as_markdown(names: list[str]) -> str:
    """The codebook of these tables, for people."""
    lines = ["# Codebook", "", *(f"- {note}" for note in NOTES)]
    for name in names:
        lines += ["", f"## {name}", "", TABLES[name].about, ""]
        lines += ["| column | meaning | unit or values |", "|---|---|---|"]
        for column in TABLES[name].columns:
            lines.append(f"| {column.name} | {column.meaning} | {column.values} |")
    return "\n".join(lines) + "\n"
