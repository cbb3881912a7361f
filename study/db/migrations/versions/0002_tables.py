"""The first revision that is still read; `study.db.tables` makes its tables in a new database."""

revision = "0002"
down_revision = None


def upgrade() -> None:
    """Do nothing: no database is older."""
