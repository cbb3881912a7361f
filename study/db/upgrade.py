"""Brings a study's database up to date: makes its tables, or migrates those of an older version.

A new database gets the tables of `study.db.tables` and the newest revision. A change to them needs
a migration too, a file in `study/db/migrations/versions/` that names the revision before its own:

    import sqlalchemy as sa
    from alembic import op

    revision, down_revision = "0003", "0002"

    def upgrade() -> None:
        op.add_column("rating", sa.Column("remark", sa.Text))

All of it is one transaction: whatever interrupts it, the database is as it was.
"""

import threading
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from study.db.tables import Base

MIGRATIONS = Path(__file__).parent / "migrations"
# PostgreSQL's name, any number, for the lock that lets one program at a time upgrade.
LOCK = 20_260_101

_one_at_a_time = threading.Lock()  # Alembic keeps its state in global variables


class UpgradeError(Exception):
    """What is wrong with a database, to be said after its name."""


def bring_up_to_date(engine: sa.Engine) -> None:
    """Make the tables in an empty database, migrate those of an older version.

    `engine` takes the write lock at once where it is asked for `writing=True`.

    Raises:
        UpgradeError: the tables are of a version that this program does not know, or of an older
            one and cannot be changed.
        SQLAlchemyError: it cannot be opened.
    """
    script = ScriptDirectory(str(MIGRATIONS))
    with engine.connect() as connection:
        revision = _revision(connection)
    if revision == script.get_current_head():
        return
    try:
        with _one_at_a_time, engine.execution_options(writing=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            revision = _revision(connection)  # another program may have been faster
            if revision is None:
                Base.metadata.create_all(connection)
                command.stamp(_alembic(connection), "head")
            elif revision not in {step.revision for step in script.walk_revisions()}:
                raise UpgradeError(
                    f"was written by another version of this program (revision {revision}), most"
                    " likely a newer one; update the program"
                )
            else:
                command.upgrade(_alembic(connection), "head")
    except sa.exc.DBAPIError as error:
        if revision is None:
            raise
        reason = str(error.orig).partition("\n")[0].rstrip(".")
        raise UpgradeError(
            f"is of an older version and could not be brought up to date: {reason};"
            " nothing in it was changed"
        ) from error


def _revision(connection: sa.Connection) -> str | None:
    """The revision of the tables in the database; None where there are none."""
    found = MigrationContext.configure(connection).get_current_revision()
    return found or ("unknown" if sa.inspect(connection).has_table("study") else None)


def _alembic(connection: sa.Connection) -> Config:
    """What `alembic.ini` would say."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
