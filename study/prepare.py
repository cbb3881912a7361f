"""Prepare a study and freeze it.

    python -m study.prepare --template > apples.toml     # a study file to fill in
    python -m study.prepare --texts > german.toml        # what raters read, to translate
    python -m study.prepare apples.toml --data DIR

judges the study file, draws the pictures by a recorded seed, makes each in every arm, and stores
all of it with its hashes. Until the first answer to a pair the study may be prepared anew; from
then on it cannot change, but a copy with a new name can. Without a file the flags describe a study
on Fruits-360 or, with `--rendered`, on fruit drawn by the program. The web page offers the newest.
"""

import argparse
import hashlib
import secrets
import sys
from datetime import date
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Session
from tqdm import tqdm

from model import fruits360
from model.colorizer import DEFAULT_WEIGHTS, Colorizer
from model.networks import WeightsError
from model.photos import PhotoError
from study import stimuli, tables
from study.command import run
from study.config import CONTROL, StudyConfig, arm_label, arm_weights, read_study_file
from study.manifest import as_text, digest, manifest_of
from study.mistakes import mistakes_in, validated
from study.store import StudyError, connect, find_study, reading, writing
from study.tables import Rating, RatingSession, Stimulus, Study, Trial
from study.texts import Texts, as_toml

READY_STUDY = "rendered"  # what the web page offers before anything is prepared
TEMPLATE = Path(__file__).with_name("template.toml")


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
        base: the folder from which it names files and folders.
        data: the Fruits-360 folder; None: FRUITS360_DIR.
        file_sha256: of the study file.
        replace: a study of the same name that has no ratings.

    Returns:
        whether a study of the same name, without ratings, was replaced.

    Raises:
        StudyError: such a study has ratings or is not to be replaced, the pictures are too few, or
            nothing could be saved.
        DataError, PhotoError, WeightsError: something to make it of is missing or damaged.
    """
    with reading(engine) as session:
        _check_unrated(session, config.name)  # before the work, and again after it
    if config.seed is None:
        config = config.model_copy(update={"seed": secrets.randbits(32)})
    colorizers = {
        label: Colorizer.load(arm_weights(arm, base)) for label, arm in config.models.items()
    }
    rng = np.random.default_rng(config.seed)
    extra = config.practice + config.checks.attention
    pool, pictures_from = _pool(config, base, data, rng)
    photos, others = stimuli.draw(pool, config.pairs, extra, rng)
    made = list(
        tqdm(stimuli.make(config, photos, others, colorizers), unit=" pictures", disable=None)
    )
    manifest = manifest_of(config, made, colorizers, file_sha256=file_sha256)
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


def _pool(
    config: StudyConfig, base: Path, data: str | None, rng: np.random.Generator
) -> tuple[stimuli.Pool, str]:
    """The pictures to draw from, and where they are from in words for raters."""
    texts = config.texts
    if config.pictures == "rendered":
        count = config.pairs + config.practice + 1  # of each kind: more than enough
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
    with reading(engine) as session:
        if find_study(session) is not None:
            return
    try:
        ready = _shorthand(name=READY_STUDY, pictures="rendered", seed=0)
        prepare(engine, ready, replace=False)
    except StudyError:
        with reading(engine) as session:
            if find_study(session) is None:  # else another server was faster
                raise


def _shorthand(**fields) -> StudyConfig:
    """A study with these fields, and defaults for what raters are told.

    Raises:
        StudyError: a field is wrong.
    """
    told = {"title": "Rate the colours", "contact": "whoever asked you to take part"}
    try:
        return validated(StudyConfig, told | fields)
    except ValidationError as error:
        sentences = [sentence for _, sentence in mistakes_in(error, StudyConfig)]
        raise StudyError("; ".join(sentences) + ".") from None


def _config_of_flags(arguments: argparse.Namespace) -> StudyConfig:
    if arguments.rendered and arguments.data:
        raise StudyError("--rendered needs no --data; leave one of them out.")
    weights = DEFAULT_WEIGHTS if arguments.weights is None else arguments.weights
    pictures = "rendered" if arguments.rendered else "fruits360"
    fields = {
        "name": arguments.name or f"{pictures}-{arm_label(weights)}-{date.today()}",
        "pictures": pictures,
        "arms": [CONTROL, weights],
    }
    for name in ("pairs", "seed"):
        if getattr(arguments, name) is not None:
            fields[name] = getattr(arguments, name)
    if arguments.step is not None:
        fields["scale"] = {"step": arguments.step}
    return _shorthand(**fields)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m study.prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE.toml", help="the study file")
    add("--template", action="store_true", help="print a study file with every field")
    add("--texts", action="store_true", help="print all that raters read, to translate")
    add("--db", metavar="URL", help="database (default: STUDY_DB or the study's SQLite file)")
    add("--data", metavar="DIR", help="the Fruits-360 folder (default: FRUITS360_DIR)")
    without = parser.add_argument_group("without a file")
    add = without.add_argument
    add("--rendered", action="store_true", help="pictures drawn by the program, no data set")
    add("--weights", help=f"name or file (default: {DEFAULT_WEIGHTS})")
    add("--name", help="of the study (default: <pictures>-<weights>-<date>)")
    add("--pairs", type=int, help="even, at least 2 (default: 10)")
    add("--seed", type=int, help="draws the pictures (default: random, recorded)")
    add("--step", type=float, help="of the scale: 1 or 0.5 (default: 1)")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Prepare a study; return 0, or 2 after a sentence for each mistake on standard error."""
    arguments = _parser().parse_args(argv)
    if arguments.template:
        print(TEMPLATE.read_text(encoding="utf-8"), end="")
        return 0
    if arguments.texts:
        print(as_toml(Texts()), end="")
        return 0
    try:
        base, sha256 = Path(), None
        if arguments.file:
            for flag in ("rendered", "weights", "name", "pairs", "seed", "step"):
                given = getattr(arguments, flag)
                if given is not None and given is not False:
                    raise StudyError(f"With a study file leave out --{flag}: the file says it.")
            config = read_study_file(arguments.file)
            base = arguments.file.parent
            sha256 = hashlib.sha256(arguments.file.read_bytes()).hexdigest()
        else:
            config = _config_of_flags(arguments)
        engine = connect(arguments.db)
        options = {"base": base, "data": arguments.data, "file_sha256": sha256}
        if prepare(engine, config, **options):
            print(f"The study {config.name!r} had no ratings yet and is replaced.\n")
        with reading(engine) as session:
            print(as_text(find_study(session, config.name)))
    except (StudyError, WeightsError, PhotoError, fruits360.DataError) as error:
        for line in str(error).splitlines():
            print(f"study.prepare: {line}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run(main)
