"""The pictures that a rater's browser may fetch."""

import functools

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import aliased

from study.db.engine import reading
from study.db.tables import Stimulus, Trial
from study.plan.protocols import SIDES
from study.rate.steps import is_token

KEPT = 200  # Number of pictures kept in memory, of some 200 kB each.

# Built once: building it takes as long as running it.
GIVEN = sa.select(
    Trial.stimulus_token, Trial.side, Trial.first_token == sa.bindparam("token")
).where(
    sa.or_(Trial.first_token == sa.bindparam("token"), Trial.second_token == sa.bindparam("token")),
    Trial.given_at.is_not(None),
)


def picture(engine: Engine, token: str) -> bytes | None:
    """The PNG that belongs to a picture's token; None unless a session was given the token.

    Raises:
        StudyError: the database cannot be read.
    """
    if not is_token(token):
        return None
    with reading(engine) as database:
        given = database.execute(GIVEN, {"token": token}).first()
    if given is None:
        return None
    stimulus, side, first = given
    if side is None:
        return _png(engine, stimulus, "gray" if first else "color")
    generated = side == SIDES[0 if first else 1]
    return _png(engine, stimulus, "color" if generated else "control")


@functools.lru_cache(KEPT)
def _png(engine: Engine, stimulus: str, version: str) -> bytes:
    """The picture of a stimulus: "gray", "color" or, of the same picture's control, "control".
    Raters see the same few."""
    column = Stimulus.gray_png if version == "gray" else Stimulus.color_png
    wanted = sa.select(column).where(Stimulus.token == stimulus)
    if version == "control":
        generated = aliased(Stimulus)
        wanted = sa.select(column).where(
            Stimulus.study_id == generated.study_id,
            Stimulus.picture == generated.picture,
            Stimulus.arm == "control",
            generated.token == stimulus,
        )
    with reading(engine) as database:
        return database.scalar(wanted)
