"""What can be told from all that the page sent to raters: the findings of `study.audit.page`."""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from scipy import stats

from study.audit.stored import SUSPICIOUS, Finding, Picture
from study.db.engine import reading
from study.db.tables import RatingSession, Stimulus, Study, Trial

WORDS = ("control", "generated", "condition", "attention", "stimulus")
# Parameters that every rater's address has, and that must change nothing.
ASKED_FOR = "condition=control&list=A&arm=control"


@dataclass
class Record:
    """What reached the browser in one session.

    Attributes:
        texts: all answers that are text, and the page as it was shown.
        fields: {the trial's step: {name of a field: its number, or the length of its text}}.
        pictures: {a picture's token: the same, of the answer that brought it}.
        refused: status codes for pictures that the session had not been given.
        buttons: buttons that save or share.
        config: what the page tells of itself.
    """

    texts: list[str] = field(default_factory=list)
    fields: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    pictures: dict[str, dict[str, float]] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    buttons: int = 0
    config: dict = field(default_factory=dict)


def findings(
    engine: sa.Engine, study: Study, pictures: Sequence[Picture], records: Sequence[Record]
) -> list[Finding]:
    """The findings about sessions that were rated on the page.

    Args:
        engine: the database of the page, with no other raters.
        study: the study.
        pictures: all its pictures.
        records: one for each session.
    """
    return [
        words(study, pictures, records),
        fields(records, _conditions(engine)),
        refused(records),
        parameters(_sessions(engine)),
        settings(records),
    ]


def _conditions(engine: sa.Engine) -> dict[str, tuple[str, tuple[str, str]]]:
    """{a trial's token: condition and its pictures' tokens}."""
    with reading(engine) as session:
        rows = session.execute(
            sa.select(
                Trial.token,
                Stimulus.condition,
                Trial.first_token,
                Trial.second_token,
                Trial.side,
            )
            .join_from(Trial, Stimulus)
            .where(Stimulus.purpose == "main")
        ).all()
    conditions = {}
    for row in rows:
        # where both versions are shown it is the side of the fake that must not be told
        hidden = row.condition if row.side is None else row.side
        conditions[row.token] = (hidden, (row.first_token, row.second_token))
    return conditions


def _sessions(engine: sa.Engine) -> dict[str, int]:
    """The number of sessions on each list."""
    with reading(engine) as session:
        lists = session.scalars(sa.select(Stimulus.list_name).distinct()).all()
        counted = sa.select(RatingSession.list_name, sa.func.count())
        found = dict(session.execute(counted.group_by(RatingSession.list_name)).tuples().all())
    return {name: found.get(name, 0) for name in sorted(filter(None, lists))}


def words(study: Study, pictures: Sequence[Picture], records: Sequence[Record]) -> Finding:
    """Whether a word that tells a condition or names a picture was sent."""
    sent = "\n".join(text for record in records for text in record.texts)
    words = {*WORDS, study.manifest_sha256, *_hashes(study.manifest)}
    words |= {name for picture in pictures for name in (picture.name, picture.token)}
    found = sorted(word for word in words if re.search(rf"\b{re.escape(word)}\b", sent))
    return Finding(
        f"none of {len(words)} words that tell (conditions, pictures, hashes, tokens) is sent",
        not found,
        f"{len(sent):,} characters searched, found: {', '.join(found) or 'none'}",
    )


def _hashes(manifest: dict) -> set[str]:
    return set(re.findall(r"\b[0-9a-f]{64}\b", json.dumps(manifest)))


def fields(records: Sequence[Record], conditions: dict) -> Finding:
    """Whether a number or a length in the answers follows the condition, by rank tests."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    trials = 0
    for record in records:
        for step, fields in record.fields.items():
            if step not in conditions:
                continue
            hidden, tokens = conditions[step]
            trials += 1
            for place, token in enumerate(tokens):
                for name, value in record.pictures.get(token, {}).items():
                    values[f"picture {place + 1} {name}"][hidden].append(value)
            for name, value in fields.items():
                values[name][hidden].append(value)
    suspicious, varying = [], 0
    for name, by_condition in values.items():
        one, *others = by_condition.values()
        if not others or len(set(one) | set(others[0])) == 1:
            continue
        varying += 1
        if stats.mannwhitneyu(one, others[0]).pvalue < SUSPICIOUS / len(values):
            suspicious.append(name)
    return Finding(
        "no field of the answers follows the condition",
        trials > 0 and not suspicious,
        f"{len(values)} fields in {trials} trials, {varying} of them vary,"
        f" suspicious: {', '.join(suspicious) or 'none'}",
    )


def refused(records: Sequence[Record]) -> Finding:
    """Whether every picture that a session had not been given was refused."""
    codes = [code for record in records for code in record.refused]
    return Finding(
        "no picture can be fetched that the session was not given",
        bool(codes) and set(codes) == {404},
        f"{len(codes)} tried, answers: {', '.join(map(str, sorted(set(codes)))) or 'none'}",
    )


def parameters(sessions: dict[str, int]) -> Finding:
    """Whether `sessions` of each list are even, although all raters asked for the same list and
    condition."""
    apart = max(sessions.values()) - min(sessions.values())
    told = ", ".join(f"{name}: {count}" for name, count in sessions.items())
    return Finding(
        "a parameter of the address chooses neither list nor condition",
        apart <= 1,
        f"all asked for {ASKED_FOR}; sessions on each list: {told}",
    )


def settings(records: Sequence[Record]) -> Finding:
    """Whether Gradio keeps, reports or shares nothing."""
    config = records[0].config
    on = [name for name in ("run_history", "analytics_enabled") if config.get(name)]
    buttons = sum(record.buttons for record in records)
    return Finding(
        "Gradio's run history, analytics, download and share buttons are off",
        not on and not buttons,
        f"{buttons} buttons, on: {', '.join(on) or 'none'}",
    )
