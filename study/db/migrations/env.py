"""Run by Alembic. `study.db.upgrade` hands over a connection within a transaction."""

from alembic import context

from study.db.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
