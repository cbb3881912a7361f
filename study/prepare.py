"""Prepare a study and freeze it.

    python -m study.prepare --data DIR --weights paper

draws pictures from the Test split of Fruits-360, makes both versions of each, and stores them with
their hashes. `--rendered` takes fruit drawn by the program instead. A prepared study cannot be
changed; prepare another one under a new name. The web page offers the newest study.
"""

import argparse
import secrets
import sys
from datetime import date

import numpy as np

from model import fruits360
from model.colorizer import DEFAULT_WEIGHTS, Colorizer
from model.networks import WeightsError
from model.photos import PhotoError
from study.design import SHOWN_LIST
from study.stimuli import freeze, fruits360_photos, rendered_photos
from study.store import Study, StudyError, connect, find_study, reading

PAIRS = 10
RENDERED = "fruit drawn by a program"
READY_STUDY = "rendered"  # what the web page offers before anything is prepared


def prepare_ready_study(engine) -> None:
    """Freeze a study of rendered pictures where the database holds no study at all.

    Raises:
        StudyError: nothing could be saved.
    """
    with reading(engine) as session:
        if find_study(session) is not None:
            return
    photos = rendered_photos(PAIRS, np.random.default_rng(0))
    try:
        freeze(engine, READY_STUDY, photos, Colorizer.load(), pictures_from=RENDERED, seed=0)
    except StudyError:
        with reading(engine) as session:
            if find_study(session) is None:  # else another server was faster
                raise


def manifest(study: Study) -> str:
    """What is frozen, as text."""
    lines = [
        f"study {study.name}, pictures: {study.pictures_from}, seed {study.seed},"
        f" scale 0 to 10 in steps of {study.step:g}",
        f"weights {study.weights}, SHA-256 {study.weights_sha256}",
        "",
    ]
    for stimulus in study.stimuli:
        if stimulus.list_name == SHOWN_LIST:
            lines.append(f"{stimulus.condition:10} {stimulus.color_sha256}  {stimulus.picture}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m study.prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", help="the Fruits-360 folder (default: FRUITS360_DIR)")
    add("--rendered", action="store_true", help="pictures drawn by the program, no data set")
    add("--weights", default=DEFAULT_WEIGHTS, help="name or file (default: %(default)s)")
    add("--name", help="of the study (default: <pictures>-<weights>-<date>)")
    add("--pairs", type=int, default=PAIRS, help="even, at least 2 (default: %(default)s)")
    add("--seed", type=int, help="draws pictures and conditions (default: random, recorded)")
    add("--step", type=float, default=1, help="of the scale: 1 or 0.5 (default: %(default)s)")
    add("--db", metavar="URL", help="database (default: STUDY_DB or the study's SQLite file)")
    arguments = parser.parse_args(argv)
    try:
        if arguments.pairs < 2 or arguments.pairs % 2:
            raise StudyError(f"--pairs must be even and at least 2, not {arguments.pairs}.")
        if arguments.step not in (0.5, 1):
            raise StudyError(f"--step must be 1 or 0.5, not {arguments.step:g}.")
        seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
        if seed < 0:
            raise StudyError(f"--seed must be 0 or more, not {seed}.")
        if arguments.rendered and arguments.data:
            raise StudyError("--rendered needs no --data; leave one of them out.")
        colorizer = Colorizer.load(arguments.weights)
        engine = connect(arguments.db)
        rng = np.random.default_rng(seed)
        if arguments.rendered:
            source, photos = RENDERED, rendered_photos(arguments.pairs, rng)
        else:
            root = fruits360.find_root(arguments.data)
            photos = fruits360_photos(root, arguments.pairs, rng)
            is_rendered = any("Rendered" in photo.name for photo in photos)
            source = RENDERED if is_rendered else "photographs of Fruits-360, Test"
        prefix = "rendered" if arguments.rendered else "fruits360"
        name = arguments.name or f"{prefix}-{colorizer.name}-{date.today()}"
        freeze(
            engine, name, photos, colorizer, pictures_from=source, seed=seed, step=arguments.step
        )
        with reading(engine) as session:
            print(manifest(find_study(session, name)))
    except (StudyError, WeightsError, PhotoError, fruits360.DataError) as error:
        print(f"study.prepare: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
