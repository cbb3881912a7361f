"""What each column of an export means: `study.export` writes exactly these, in this order."""

from dataclasses import dataclass

from study.plan.protocols import PROTOCOLS
from study.plan.questions import QUESTIONS


@dataclass(frozen=True)
class Column:
    """One column: its meaning; its unit, or the values that it takes."""

    meaning: str
    values: str = "text"


MOMENT = "UTC, ISO 8601"
HASH = "SHA-256, 64 hexadecimal digits"
YES_NO = "true or false"
COMMON = {
    "study": Column("name of the study"),
    "rater": Column("number of the rater, which says nothing of who it is", "whole number"),
    "simulated": Column("whether the rater is a program that stands in for a person", YES_NO),
}
STIMULUS = {
    "purpose": Column(
        "what the pair is for; only main pairs are analysed", "main, practice, attention"
    ),
    "picture": Column("where the picture is from, not told to raters"),
    "kind": Column("of fruit, or the picture's folder"),
    "condition": Column(
        "control: true colours; generated: made by a program", "control, generated"
    ),
    "arm": Column("control, or the model that made the colours", "control or the model's name"),
}


def _by_protocol(column: str, meaning: str = "") -> Column:
    """A column whose meaning each protocol declares; the others leave it empty."""
    declared = {p.name: p.columns[column] for p in PROTOCOLS.values() if column in p.columns}
    meanings = [f"{name}: {says}" for name, (says, _) in declared.items()]
    if len(declared) < len(PROTOCOLS):
        meanings.append("else empty")
    return Column(
        "; ".join([meaning, *meanings] if meaning else meanings),
        "; or ".join(dict.fromkeys(values for _, values in declared.values())),
    )


ANSWERS = {question.step: tuple(question.choices) or ("text",) for question in QUESTIONS}

TABLES: dict[str, dict[str, Column]] = {
    "ratings": COMMON
    | {
        "list": Column("counterbalancing list of the session", "A, B, ..."),
        "position": Column(
            "place in the session's order; practice comes before, at 0 and below", "whole number"
        ),
    }
    | STIMULUS
    | {
        "rating": _by_protocol("rating", "the answer exactly as given"),
        "step": Column("of the scale when the answer was given", "points, 0.5 or 1"),
        "choice": _by_protocol("choice"),
        "side": _by_protocol("side"),
        "shown_at": Column("when the server first handed out the pair", MOMENT),
        "rated_at": Column("when the server stored the answer", MOMENT),
        "response_ms": Column(
            "from the pair in sight to the answer, as measured by the browser; empty: not known",
            "milliseconds",
        ),
        "viewport_width": Column("of the browser's window; empty: not known", "CSS pixels"),
        "viewport_height": Column("of the browser's window; empty: not known", "CSS pixels"),
        "pixel_ratio": Column(
            "screen pixels for each CSS pixel; empty: not known", "ratio, 0.1 to 20"
        ),
        "finished": Column("whether the rater answered every pair", YES_NO),
    },
    "sessions": COMMON
    | {
        "list": Column("counterbalancing list", "A, B, ..."),
        "pairs": Column("that the session consists of, with practice and attention", "count"),
        "rated": Column("pairs answered", "count"),
        "finished": Column("whether all are", YES_NO),
        "consent_sha256": Column(
            "of the text that was agreed to; unknown: from before this was recorded", HASH
        ),
        "consented_at": Column("when the session began", MOMENT),
        "seen_at": Column("last sign of life", MOMENT),
        "finished_at": Column("time of the last rating; empty: not finished", MOMENT),
    },
    "answers": COMMON
    | {
        "question": Column("what was asked", ", ".join(ANSWERS)),
        "answer": Column(
            "what was chosen or written",
            "; ".join(f"{step}: {', '.join(choices)}" for step, choices in ANSWERS.items()),
        ),
        "answered_at": Column("when the server stored it", MOMENT),
    },
    "checks": COMMON
    | {
        "name": Column("of the quality check of a finished session"),
        "outcome": Column("nobody is dropped for it", "passed, failed, could not run"),
        "detail": Column("why"),
    },
    "events": {
        "study": COMMON["study"],
        "event": Column("number, in the order of events", "whole number"),
        "at": Column("when", MOMENT),
        "rater": Column("whose session it was; empty: nobody's", "whole number"),
        "simulated": Column("whether that rater is a program; empty: nobody's", "true or false"),
        "kind": Column(
            "what happened",
            "consented, resumed, shown, rated, answered, answered again, finished, forgotten,"
            " audited (study.audit deleted a rater of its own)",
        ),
        "detail": Column("more of it", "JSON"),
    },
    "stimuli": {"study": COMMON["study"]}
    | STIMULUS
    | {
        "list": Column(
            "list that shows the picture in this arm; empty: in no list, which holds for practice,"
            " the attention check and a control that is only shown beside a fake",
            "A, B, ...",
        ),
        "gray_sha256": Column("of the grayscale picture's PNG", HASH),
        "color_sha256": Column("of the colour picture's PNG", HASH),
    },
    "participants": {
        "study": COMMON["study"],
        "rater": COMMON["rater"],
        "simulated": COMMON["simulated"],
        "external_id": Column("the recruiting service's ID of the person: do not publish"),
        "study_ref": Column("its ID of the study"),
        "session_ref": Column("its ID of the visit"),
    },
}
ABOUT = {
    "ratings": "One row for each answer to a pair, practice and attention check included.",
    "sessions": "One row for each session, finished or not.",
    "answers": "One row for each answer to a question.",
    "checks": "One row for each quality check of a finished session.",
    "events": "What happened, in order. Rows of raters who were forgotten are gone.",
    "stimuli": "One row for each picture in each arm that somebody may be shown.",
    "participants": "Who the raters are for the recruiting service. Keep it apart from the rest.",
}
NOTES = (
    "Rows of simulated raters are marked: `simulated` is true. They are not people.",
    "CSV: UTF-8, RFC 4180. A text that a spreadsheet would take for a formula, because it begins"
    " with = + - @, also full-width, a tab or a new line, has an apostrophe put before it; in JSON"
    " it stands as it was given. Numbers are numbers. Empty is unknown or does not apply (JSON:"
    " null).",
    "What is no character (half of a surrogate pair, which a browser may send) was stored as ?.",
    "`python -m study.report --ratings ratings.csv` analyses the export.",
)


def as_json(names: list[str]) -> dict:
    """The codebook of these tables."""
    return {
        "notes": list(NOTES),
        "tables": {
            name: {
                "about": ABOUT[name],
                "columns": {
                    column: {"meaning": what.meaning, "values": what.values}
                    for column, what in TABLES[name].items()
                },
            }
            for name in names
        },
    }


def as_markdown(names: list[str]) -> str:
    """The codebook of these tables, for people."""
    lines = ["# Codebook", "", *(f"- {note}" for note in NOTES)]
    for name in names:
        lines += ["", f"## {name}", "", ABOUT[name], ""]
        lines += ["| column | meaning | unit or values |", "|---|---|---|"]
        for column, what in TABLES[name].items():
            lines.append(f"| {column} | {what.meaning} | {what.values} |")
    return "\n".join(lines) + "\n"
