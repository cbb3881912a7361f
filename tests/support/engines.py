"""The database engines that a study can live on."""

import pytest

# PostgreSQL is a process of its own.
ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.process)]

# For tests of what may differ between the engines; `db_url` is SQLite's otherwise.
each_engine = pytest.mark.parametrize("db_url", ENGINES, indirect=True)
on_postgresql = pytest.mark.parametrize("db_url", ENGINES[1:], indirect=True)
