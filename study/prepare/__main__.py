"""Prepare a study and freeze it.

    python -m study.prepare --template > apples.toml     # a study file to fill in
    python -m study.prepare --texts > german.toml        # what raters read, to translate
    python -m study.prepare apples.toml                  # with --data DIR for Fruits-360

checks the study file, draws the pictures by a recorded seed, makes each in every arm, and stores
all of it with its hashes. Until the first answer to a pair the study may be prepared anew; from
then on it cannot change, but a copy with a new name can. Without a file the flags describe a study
on Fruits-360 or, with `--rendered`, on fruit drawn by the program. The web page offers the newest.
"""

import argparse
import hashlib
import sys
from datetime import date
from pathlib import Path

from model.data import fruits360
from model.photos import PhotoError
from model.weights import DEFAULT_WEIGHTS, WeightsError
from study import cli
from study.db.engine import connect, reading
from study.db.queries import find_study
from study.errors import StudyError
from study.plan.arms import CONTROL, weights_label
from study.plan.config import StudyConfig
from study.plan.study_file import read_study_file, shorthand
from study.plan.texts import Texts, as_toml
from study.prepare.manifest import as_text

TEMPLATE = Path(__file__).with_name("template.toml")


def _config_of_flags(arguments: argparse.Namespace) -> StudyConfig:
    if arguments.rendered and arguments.data:
        raise StudyError("--rendered needs no --data; leave one of them out.")
    weights = DEFAULT_WEIGHTS if arguments.weights is None else arguments.weights
    pictures = "rendered" if arguments.rendered else "fruits360"
    fields = {
        "name": arguments.name or f"{pictures}-{weights_label(weights)}-{date.today()}",
        "pictures": pictures,
        "arms": [CONTROL, weights],
    }
    for name in ("pairs", "seed"):
        if getattr(arguments, name) is not None:
            fields[name] = getattr(arguments, name)
    if arguments.step is not None:
        fields["scale"] = {"step": arguments.step}
    return shorthand(**fields)


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("study.prepare", __doc__)
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE.toml", help="the study file")
    add("--template", action="store_true", help="print a study file with every field")
    add("--texts", action="store_true", help="print all that raters read, to translate")
    cli.add_database(parser)
    add("--data", metavar="DIR", help="the Fruits-360 folder (default: FRUITS360_DIR)")
    without = parser.add_argument_group("without a file")
    add = without.add_argument
    add("--rendered", action="store_true", help="pictures drawn by the program, no data set")
    add("--weights", help=f"name or file of weights (default: {DEFAULT_WEIGHTS})")
    add("--name", help="name of the study (default: <pictures>-<weights>-<date>)")
    add("--pairs", type=int, help="pairs for each rater, even (default: 10)")
    add("--seed", type=int, help="seed for the draw of the pictures (default: random, recorded)")
    add("--step", type=float, help="step of the scale, 1 or 0.5 (default: 1)")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Prepare a study and return an exit code, as `study.cli.run` does; each mistake in a study
    file has a sentence of its own."""
    errors = (StudyError, WeightsError, PhotoError, fruits360.DataError)
    return cli.run(_parser(), _prepare, argv, errors=errors)


def _prepare(arguments: argparse.Namespace) -> None:
    if arguments.template:
        print(TEMPLATE.read_text(encoding="utf-8"), end="")
        return
    if arguments.texts:
        print(as_toml(Texts()), end="")
        return
    base, sha256 = Path(), None
    if arguments.file:
        for flag in ("rendered", "weights", "name", "pairs", "seed", "step"):
            given = getattr(arguments, flag)
            if given is not None and given is not False:
                raise StudyError(f"With a study file leave out --{flag}: the file says it.")
        config = read_study_file(arguments.file)
        if arguments.data and config.pictures != "fruits360":
            said = f'the study file says pictures = "{config.pictures}"'
            raise StudyError(f"--data is for Fruits-360, and {said}; leave --data out.")
        base = arguments.file.parent
        sha256 = hashlib.sha256(arguments.file.read_bytes()).hexdigest()
    else:
        config = _config_of_flags(arguments)
    from study.prepare.freeze import prepare  # here: it needs PyTorch, which takes seconds to load

    engine = connect(arguments.db)
    if prepare(engine, config, base=base, data=arguments.data, file_sha256=sha256):
        print(f"The study {config.name!r} had no ratings yet and is replaced.\n")
    with reading(engine) as session:
        print(as_text(find_study(session, config.name)))


if __name__ == "__main__":
    sys.exit(main())
