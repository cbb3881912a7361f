"""Draws, makes and stores a study, once and for all."""

import secrets
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session
from tqdm import tqdm

from model.colorizer.pipeline import Colorizer
from model.data import fruits360
from study.db import tables
from study.db.engine import reading, writing
from study.db.tables import Rating, RatingSession, Stimulus, Study, Trial
from study.errors import StudyError
from study.plan.config import StudyConfig
from study.plan.study_file import shorthand
from study.prepare import stimuli
from study.prepare.given import given_pictures
from study.prepare.manifest import digest, manifest_of
from study.prepare.program import Program

# Name of the study that the page offers before any other is prepared.
READY_STUDY = "rendered"


def prepare(
    engine: sa.Engine,
    config: StudyConfig,
    *,
    base: Path = Path(),
    data: str | None = None,
    file_sha256: str | None = None,
    replace: bool = True,
) -> bool:
    """Draw, make and store a study.

    Args:
        engine: the database.
        config: the study.
        base: the folder that its names of files and folders start from.
        data: the Fruits-360 folder; None: FRUITS360_DIR.
        file_sha256: the study file's SHA-256; None where there is none.
        replace: whether to replace a study of the same name that has no ratings.

    Returns:
        whether a study of the same name, without ratings, was replaced.

    Raises:
        StudyError: a study of the same name has ratings or is not to be replaced, the pictures are
            too few, those made elsewhere do not fit them, or nothing could be saved.
        DataError, PhotoError, WeightsError: pictures or weights are missing or damaged.
    """
    with reading(engine) as session:
        _check_unrated(session, config.name)  # before the work, and again after it
    if config.seed is None:
        config = config.model_copy(update={"seed": secrets.randbits(32)})
    colorizers = {
        name: Colorizer.load(arm.weights_file(base))
        for name, arm in config.models.items()
        if arm.weights
    }
    rng = np.random.default_rng(config.seed)
    extra = config.practice + config.checks.attention
    pool, pictures_from = _pool(config, base, data, rng)
    given = given_pictures(config.arms, base, pool)
    photos, others = stimuli.draw(pool, config.pairs, extra, rng)
    programs = {name: Program(arm, base) for name, arm in config.models.items() if arm.command}
    colored = {name: _by_weights(colorizer) for name, colorizer in colorizers.items()}
    colored |= {name: each.colored for name, each in (given | programs).items()}
    colored = {name: colored[name] for name in config.models}  # in the order of the study file
    made = list(tqdm(stimuli.make(config, photos, others, colored), unit=" pictures", disable=None))
    weights = {name: colorizer.path for name, colorizer in colorizers.items()}
    told = {
        name: files.told(each.picture for each in made if each.arm == name)
        for name, files in given.items()
    } | {name: program.told() for name, program in programs.items()}
    manifest = manifest_of(config, made, weights, told, file_sha256=file_sha256)
    study = Study(
        name=config.name,
        pictures_from=pictures_from,
        seed=config.seed,
        config=config.model_dump(mode="json"),
        manifest=manifest,
        manifest_sha256=digest(manifest),
        stimuli=made,
    )
    with writing(engine) as session:
        before = _check_unrated(session, config.name)
        if before is not None:
            if not replace:
                raise StudyError(f"There is a study {config.name!r} already.")
            _delete(session, before)
        session.add(study)
    return before is not None


def _by_weights(colorizer: Colorizer) -> stimuli.Colored:
    return lambda photo: colorizer.colorize(photo.rgb)


def _pool(
    config: StudyConfig, base: Path, data: str | None, rng: np.random.Generator
) -> tuple[stimuli.Pool, str]:
    """The pictures to draw from, and where they are from in words for raters."""
    texts = config.texts
    if config.pictures == "rendered":
        count = config.pairs + config.practice + 1  # more of each kind than can be needed
        return stimuli.rendered_pool(count, rng), texts.pictures_rendered
    if config.pictures != "fruits360":
        return stimuli.folder_pool(base / config.pictures, rng), texts.pictures_folder
    pool = stimuli.fruits360_pool(fruits360.find_root(data), rng)
    is_rendered = any("Rendered" in photo.name for photos in pool.values() for photo in photos)
    return pool, texts.pictures_rendered if is_rendered else texts.pictures_fruits360


def _check_unrated(session: Session, name: str) -> Study | None:
    """The study called `name`, if there is one.

    Raises:
        StudyError: it has ratings.
    """
    study = session.scalar(sa.select(Study).where(Study.name == name).with_for_update())
    rated = (
        sa.select(Rating.trial_id)
        .join(Trial)
        .join(Stimulus)
        .where(Stimulus.study_id == (study.id if study else None))
    )
    if session.scalar(rated.limit(1)) is not None:
        raise StudyError(f"Study {name!r} has ratings and cannot change; give the copy a new name.")
    return study


def _delete(session: Session, study: Study) -> None:
    """Delete a study without ratings, and the sessions that were begun in it."""
    sessions = sa.select(RatingSession.id).where(RatingSession.study_id == study.id)
    raters = session.scalars(
        sa.select(RatingSession.rater_id).where(RatingSession.study_id == study.id)
    ).all()
    for table in (tables.QualityCheck, tables.Answer, Trial):
        session.execute(sa.delete(table).where(table.session_id.in_(sessions)))
    for table in (tables.Event, tables.Participant, RatingSession, Stimulus):
        session.execute(sa.delete(table).where(table.study_id == study.id))
    session.execute(sa.delete(tables.Rater).where(tables.Rater.id.in_(raters)))
    session.execute(sa.delete(Study).where(Study.id == study.id))


def prepare_ready_study(engine: sa.Engine) -> None:
    """Freeze a study of rendered pictures where the database holds no study at all.

    Raises:
        StudyError: nothing could be saved.
    """
    if _has_studies(engine):
        return
    try:
        ready = shorthand(name=READY_STUDY, pictures="rendered", seed=0)
        prepare(engine, ready, replace=False)
    except StudyError:
        if not _has_studies(engine):  # else another server was faster
            raise


def _has_studies(engine: sa.Engine) -> bool:
    with reading(engine) as session:
        return session.scalar(sa.select(Study.id).limit(1)) is not None
