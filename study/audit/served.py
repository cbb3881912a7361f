"""A throw-away copy of a frozen study, and the page over it."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from study.db.engine import connect, reading, writing
from study.db.queries import STIMULI_AT_ONCE
from study.db.tables import Stimulus, Study
from study.errors import StudyError

ROOT = Path(__file__).parents[2]


@contextmanager
def copied(engine: sa.Engine, study: Study) -> Iterator[sa.Engine]:
    """A database with this study as it was frozen, without its raters; it is deleted at the end.

    The copy has no quota, so that a study whose places are taken can be audited.

    Raises:
        StudyError: the study cannot be read, or the copy not be written.
    """
    studies, stimuli = Study.__table__, Stimulus.__table__
    with tempfile.TemporaryDirectory() as folder:
        copy = connect(f"sqlite:///{Path(folder, 'study.sqlite')}")
        try:
            with reading(engine) as source, writing(copy) as target:
                row = source.execute(sa.select(studies).where(studies.c.id == study.id)).one()
                frozen = row._asdict()
                frozen["config"] |= {"quota": None}
                target.execute(sa.insert(studies), frozen)
                pictures = source.execute(
                    sa.select(stimuli).where(stimuli.c.study_id == study.id),
                    execution_options={"yield_per": STIMULI_AT_ONCE},
                )
                for rows in pictures.partitions():
                    target.execute(sa.insert(stimuli), [row._asdict() for row in rows])
            yield copy
        finally:
            copy.dispose()


@contextmanager
def serving(engine: sa.Engine) -> Iterator[str]:
    """The address of the page over this SQLite database, served by a process of its own.

    Raises:
        StudyError: the page does not start.
    """
    url = engine.url.render_as_string()
    command = [sys.executable, "-m", "demo", "--db", url, "--port", "0", "--examples", "rendered"]
    command += ["--requests-per-minute", "0", "--reads-per-minute", "0"]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(  # noqa: S603 - this program itself, no shell
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        with process:
            try:
                for line in process.stdout:
                    if address := re.search(r"http://[\w.:]+", line):
                        yield address[0]
                        return
                errors.seek(0)
                said = errors.read().strip().splitlines() or ["it ended"]
                raise StudyError(f"The page does not start: {said[-1]}")
            finally:
                process.terminate()
