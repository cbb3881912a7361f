"""Serve the page:  python -m demo"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

from demo import app, health
from demo.server.guard import Limits
from demo.server.listening import listen, serve
from model.data.examples import fruits360_examples, rendered_examples
from model.weights import WeightsError
from study import cli
from study.db.engine import connect, reading
from study.db.queries import find_study
from study.errors import StudyError
from study.prepare.freeze import prepare_ready_study

EXAMPLES = 6


def main(argv: list[str] | None = None) -> int:
    """Serve the page until it is stopped and return an exit code, as `study.cli.run` does."""
    return cli.run(_parser(), _serve, argv, errors=(StudyError, WeightsError, OSError))


def _serve(arguments: argparse.Namespace) -> None:
    health.log_to_stderr(arguments.log)
    engine = connect(arguments.db)
    prepare_ready_study(engine)
    with reading(engine) as session:
        study_name = find_study(session, arguments.study).name
    print(f"The tab Rate runs the study {study_name!r}.", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        # Gradio's default is one folder for all servers of a machine, which would delete each
        # other's files
        os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(folder, "uploads")))
        examples = fruits360_examples() if arguments.examples == "auto" else []
        examples = examples or rendered_examples(EXAMPLES, to=Path(folder))
        guarded = app.application(
            app.build(engine, study_name, examples),
            engine,
            study_name,
            limits=Limits(
                requests=arguments.requests_per_minute,
                uploads=arguments.uploads_per_minute,
                reads=arguments.reads_per_minute,
            ),
            root_path=arguments.root_path,
        )
        try:
            listening = listen(arguments.host, arguments.port)
        except (OSError, OverflowError):
            address = f"port {arguments.port} on {arguments.host}"
            raise StudyError(f"{address} cannot be used; choose another.") from None
        with listening:
            serve(guarded, listening)


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("demo", "Serve the web page.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=7860, help="default: %(default)s")
    add(
        "--root-path",
        type=_root_path,
        default="",
        metavar="PATH",
        help="path at which a proxy offers the page, such as /fruit (default: none)",
    )
    cli.add_database(parser)
    cli.add_study(parser, "study that the tab Rate runs (default: the newest)")
    add(
        "--examples",
        choices=["auto", "rendered"],
        default="auto",
        help="auto fetches Fruits-360 pictures where the network allows (default: %(default)s)",
    )
    for what, said in (
        ("requests", "POST requests that one address may send"),
        ("uploads", "photos, one for each 10 MB, that one address may upload"),
        ("reads", "GET requests that one address may send"),
    ):
        add(
            f"--{what}-per-minute",
            type=_number,
            default=getattr(Limits, what),
            metavar="N",
            help=f"{said} a minute; 0: any number (default: %(default)s)",
        )
    add(
        "--log",
        choices=["warning", "info"],
        default="warning",
        help="info logs every request, as JSON on stderr (default: %(default)s)",
    )
    return parser


def _number(given: str) -> int:
    if not given.isdecimal():
        raise argparse.ArgumentTypeError(f"{given!r} is not a number from 0 on")
    return int(given)


def _root_path(given: str) -> str:
    path = given.rstrip("/")
    if not re.fullmatch(r"(/[\w.~-]+)*", path, re.ASCII):
        raise argparse.ArgumentTypeError(f"{given!r} is not a path such as /fruit")
    return path


if __name__ == "__main__":
    sys.exit(main())
