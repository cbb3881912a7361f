"""The first tables: one list, no checks, no identities."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

metadata = sa.MetaData()
MOMENT = sa.DateTime(timezone=True)
TEXT = sa.String(255)
PNG = sa.LargeBinary(2**24 - 1)

sa.Table(
    "study",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", TEXT, nullable=False, unique=True),
    sa.Column("pictures_from", TEXT, nullable=False),
    sa.Column("step", sa.Double, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("weights", TEXT, nullable=False),
    sa.Column("weights_sha256", TEXT, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.CheckConstraint("step IN (0.5, 1)"),
)
sa.Table(
    "stimulus",
    metadata,
    sa.Column("token", TEXT, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("study.id"), nullable=False),
    sa.Column("list_name", TEXT, nullable=False),
    sa.Column("picture", TEXT, nullable=False),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("condition", TEXT, nullable=False),
    sa.Column("gray_png", PNG, nullable=False),
    sa.Column("color_png", PNG, nullable=False),
    sa.Column("gray_sha256", TEXT, nullable=False),
    sa.Column("color_sha256", TEXT, nullable=False),
    sa.UniqueConstraint("study_id", "picture", "condition"),
    sa.CheckConstraint("condition IN ('control', 'generated')"),
)
sa.Table(
    "rater",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("created_at", MOMENT, nullable=False),
)
sa.Table(
    "session",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("study.id"), nullable=False),
    sa.Column("rater_id", sa.ForeignKey("rater.id"), nullable=False),
    sa.Column("token", TEXT, nullable=False, unique=True),
    sa.Column("list_name", TEXT, nullable=False),
    sa.Column("consented_at", MOMENT, nullable=False),
    sa.Column("finished_at", MOMENT),
    sa.UniqueConstraint("study_id", "rater_id"),
)
sa.Table(
    "trial",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("session_id", sa.ForeignKey("session.id"), nullable=False, index=True),
    sa.Column("stimulus_token", sa.ForeignKey("stimulus.token"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("token", TEXT, nullable=False, unique=True),
    sa.Column("shown_at", MOMENT),
    sa.UniqueConstraint("session_id", "position"),
    sa.UniqueConstraint("session_id", "stimulus_token"),
)
sa.Table(
    "rating",
    metadata,
    sa.Column("trial_id", sa.ForeignKey("trial.id"), primary_key=True),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("step", sa.Double, nullable=False),
    sa.Column("rated_at", MOMENT, nullable=False),
    sa.CheckConstraint("value BETWEEN 0 AND 10"),
    sa.CheckConstraint("value / step = ROUND(value / step)"),
    sa.CheckConstraint("step IN (0.5, 1)"),
)


def upgrade() -> None:
    metadata.create_all(op.get_bind())
