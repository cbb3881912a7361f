"""Several lists and models, practice, checks, events, identities; the study's settings as JSON.

Old studies become what they were: the paper's protocol with one list, no practice and no checks.
The few rows are read, the old tables dropped, and the rows written into new ones: the same on every
database, and the result is exactly what a new database gets.
"""

import hashlib
import json
import re
import secrets
from collections import defaultdict

import sqlalchemy as sa
from alembic import op

from study.plan.config import StudyConfig

revision = "0002"
down_revision = "0001"

OLD = ("study", "stimulus", "rater", "session", "trial", "rating")
SHOWN_LIST = "A"  # the other one of an old study, with each picture's other version, is never shown

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
MOMENT = sa.DateTime(timezone=True)
TEXT = sa.String(255)
PNG = sa.LargeBinary(2**24 - 1)

study_table = sa.Table(
    "study",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", TEXT, nullable=False, unique=True),
    sa.Column("pictures_from", TEXT, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("manifest", sa.JSON, nullable=False),
    sa.Column("manifest_sha256", TEXT, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
)
stimulus_table = sa.Table(
    "stimulus",
    metadata,
    sa.Column("token", TEXT, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("study.id"), nullable=False, index=True),
    sa.Column("purpose", TEXT, nullable=False),
    sa.Column("list_name", TEXT),
    sa.Column("picture", TEXT, nullable=False),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("condition", TEXT, nullable=False),
    sa.Column("arm", TEXT, nullable=False),
    sa.Column("gray_png", PNG, nullable=False),
    sa.Column("color_png", PNG, nullable=False),
    sa.Column("gray_sha256", TEXT, nullable=False),
    sa.Column("color_sha256", TEXT, nullable=False),
    sa.UniqueConstraint("study_id", "picture", "arm"),
    sa.CheckConstraint("condition IN ('control', 'generated')", name="condition"),
    sa.CheckConstraint("purpose IN ('main', 'practice', 'attention')", name="purpose"),
)
rater_table = sa.Table(
    "rater",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
)
sa.Table(
    "participant",
    metadata,
    sa.Column("rater_id", sa.ForeignKey("rater.id"), primary_key=True),
    sa.Column("study_id", sa.ForeignKey("study.id"), nullable=False),
    sa.Column("external_id", TEXT, nullable=False),
    sa.Column("study_ref", TEXT, nullable=False),
    sa.Column("session_ref", TEXT, nullable=False),
    sa.UniqueConstraint("study_id", "external_id"),
)
session_table = sa.Table(
    "session",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("study.id"), nullable=False),
    sa.Column("rater_id", sa.ForeignKey("rater.id"), nullable=False),
    sa.Column("token", TEXT, nullable=False, unique=True),
    sa.Column("list_name", TEXT, nullable=False),
    sa.Column("consent_sha256", TEXT, nullable=False),
    sa.Column("consented_at", MOMENT, nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False),
    sa.Column("finished_at", MOMENT),
    sa.UniqueConstraint("study_id", "rater_id"),
)
sa.Table(
    "answer",
    metadata,
    sa.Column("session_id", sa.ForeignKey("session.id"), primary_key=True),
    sa.Column("step", TEXT, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("answered_at", MOMENT, nullable=False),
)
trial_table = sa.Table(
    "trial",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("session_id", sa.ForeignKey("session.id"), nullable=False, index=True),
    sa.Column("stimulus_token", sa.ForeignKey("stimulus.token"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("token", TEXT, nullable=False, unique=True),
    sa.Column("first_token", TEXT, nullable=False, unique=True),
    sa.Column("second_token", TEXT, nullable=False, unique=True),
    sa.Column("side", TEXT),
    sa.Column("given_at", MOMENT),
    sa.Column("shown_at", MOMENT),
    sa.UniqueConstraint("session_id", "position"),
    sa.UniqueConstraint("session_id", "stimulus_token"),
    sa.CheckConstraint("side IN ('left', 'right')", name="side"),
)
rating_table = sa.Table(
    "rating",
    metadata,
    sa.Column("trial_id", sa.ForeignKey("trial.id"), primary_key=True),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("step", sa.Double, nullable=False),
    sa.Column("choice", TEXT),
    sa.Column("rated_at", MOMENT, nullable=False),
    sa.Column("response_ms", sa.Double),
    sa.Column("viewport_width", sa.Integer),
    sa.Column("viewport_height", sa.Integer),
    sa.Column("pixel_ratio", sa.Double),
    sa.CheckConstraint("value BETWEEN 0 AND 10", name="scale"),
    sa.CheckConstraint("value / step = ROUND(value / step)", name="on_step"),
    sa.CheckConstraint("step IN (0.5, 1)", name="step"),
    sa.CheckConstraint("choice IN ('left', 'right')", name="choice"),
)
sa.Table(
    "quality_check",
    metadata,
    sa.Column("session_id", sa.ForeignKey("session.id"), primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
    sa.Column("outcome", TEXT, nullable=False),
    sa.Column("detail", TEXT, nullable=False),
    sa.CheckConstraint("outcome IN ('passed', 'failed', 'could not run')", name="outcome"),
)
event_table = sa.Table(
    "event",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", MOMENT, nullable=False),
    sa.Column("study_id", sa.ForeignKey("study.id"), nullable=False),
    sa.Column("session_id", sa.ForeignKey("session.id"), index=True),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
)


def upgrade() -> None:
    connection = op.get_bind()
    old = sa.MetaData()
    old.reflect(connection, only=OLD)
    rows = {
        name: [dict(row) for row in connection.execute(sa.select(old.tables[name])).mappings()]
        for name in OLD
    }
    old.drop_all(connection)
    metadata.create_all(connection)
    _carry_over(rows)
    for table, new in (
        (rater_table, rows["rater"]),
        (study_table, rows["study"]),
        (stimulus_table, rows["stimulus"]),
        (session_table, rows["session"]),
        (trial_table, rows["trial"]),
        (rating_table, rows["rating"]),
    ):
        if new:
            connection.execute(sa.insert(table), new)
            if connection.dialect.name == "postgresql" and "id" in table.c:
                last = max(row["id"] for row in new)
                sequence = sa.func.pg_get_serial_sequence(table.name, "id")
                connection.execute(sa.select(sa.func.setval(sequence, last)))


def _carry_over(rows: dict[str, list[dict]]) -> None:
    """Give the rows of each old table what the new ones have more."""
    weights = {study["id"]: study["weights"] for study in rows["study"]}
    stimuli = defaultdict(list)
    for stimulus in rows["stimulus"]:
        control = stimulus["condition"] == "control"
        stimulus["purpose"] = "main"
        stimulus["arm"] = "control" if control else weights[stimulus["study_id"]]
        if stimulus["list_name"] != SHOWN_LIST:
            stimulus["list_name"] = None
        stimuli[stimulus["study_id"]].append(stimulus)
    for study in rows["study"]:
        study["config"] = _config(study, pairs=len(stimuli[study["id"]]) // 2)
        study["manifest"] = _manifest(study, stimuli[study["id"]])
        study["manifest_sha256"] = _digest(study["manifest"])
        del study["step"], study["weights"], study["weights_sha256"]
    for rater in rows["rater"]:
        rater["simulated"] = False
    rated = {rating["trial_id"]: rating["rated_at"] for rating in rows["rating"]}
    seen = {}
    for trial in rows["trial"]:
        trial |= {
            "first_token": secrets.token_urlsafe(16),
            "second_token": secrets.token_urlsafe(16),
            "given_at": trial["shown_at"],
        }
        moments = [trial["shown_at"], rated.get(trial["id"]), seen.get(trial["session_id"])]
        seen[trial["session_id"]] = max(filter(None, moments), default=None)
    for session in rows["session"]:
        session["consent_sha256"] = "unknown"
        moments = [session["consented_at"], session["finished_at"], seen.get(session["id"])]
        session["seen_at"] = max(filter(None, moments))


def _config(study: dict, *, pairs: int) -> dict:
    config = StudyConfig(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", study["name"]).strip("-._") or "study",
        title=study["name"],
        mode="paper",
        arms=("control", study["weights"]),
        pairs=pairs,
        pictures="rendered" if study["pictures_from"].startswith("fruit drawn") else "fruits360",
        seed=study["seed"],
        practice=0,
        scale={"step": study["step"]},
        checks={
            "attention": False,
            "too_fast_seconds": None,
            "straight_lining": False,
            "color_vision": False,
            "screen": False,
        },
        contact="whoever sent you here",
    )
    return config.model_dump(mode="json")


def _manifest(study: dict, stimuli: list[dict]) -> dict:
    """The hashes that the study was frozen with; versions were not recorded."""
    keys = ("picture", "kind", "purpose", "arm", "gray_sha256", "color_sha256")
    return {
        "study": study["name"],
        "seed": study["seed"],
        "study_file_sha256": None,
        "config_sha256": _digest(study["config"]),
        "texts_sha256": _digest(study["config"]["texts"]),
        "weights": {study["weights"]: study["weights_sha256"]},
        "pictures": [
            {key: stimulus[key] for key in keys} | {"list": stimulus["list_name"]}
            for stimulus in sorted(stimuli, key=lambda row: (row["picture"], row["arm"]))
        ],
        "versions": {},
    }


def _digest(content: dict) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
