"""Serve the page:  python -m demo"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from demo import app, health
from model.data.examples import fruits360_examples, rendered_examples
from model.weights import WeightsError
from study.db.engine import connect, reading
from study.db.queries import find_study
from study.errors import StudyError
from study.prepare.freeze import prepare_ready_study

EXAMPLES = 6


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Serve the web page.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=7860, help="default: %(default)s")
    add("--db", metavar="URL", help="study database (default: STUDY_DB or study.sqlite here)")
    add("--study", metavar="NAME", help="study that the tab Rate runs (default: the newest)")
    add(
        "--examples",
        choices=["auto", "rendered"],
        default="auto",
        help="auto fetches Fruits-360 pictures where the network allows (default: %(default)s)",
    )
    for what, default in (
        ("requests", app.REQUESTS_PER_MINUTE),
        ("uploads", app.UPLOADS_PER_MINUTE),
    ):
        add(
            f"--{what}-per-minute",
            type=int,
            default=default,
            metavar="N",
            help="that one address may send; 0: any number (default: %(default)s)",
        )
    add(
        "--log",
        choices=["warning", "info"],
        default="warning",
        help="info tells of every request, in JSON on stderr (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    health.log_to_stderr(arguments.log)
    try:
        engine = connect(arguments.db)
        prepare_ready_study(engine)
        with reading(engine) as session:
            study_name = find_study(session, arguments.study).name
        print(f"The tab Rate runs the study {study_name!r}.", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            # Gradio's own would be shared by all servers of this machine, which delete its files
            os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(folder, "uploads")))
            examples = fruits360_examples() if arguments.examples == "auto" else []
            examples = examples or rendered_examples(EXAMPLES, to=Path(folder))
            page = app.build(engine, study_name, examples)
            served = app.application(
                page,
                engine,
                study_name,
                requests_per_minute=arguments.requests_per_minute,
                uploads_per_minute=arguments.uploads_per_minute,
            )
            try:
                listening = app.listen(arguments.host, arguments.port)
            except (OSError, OverflowError):
                address = f"port {arguments.port} on {arguments.host}"
                print(f"demo: {address} cannot be used; choose another.", file=sys.stderr)
                return 2
            with listening:
                app.serve(served, listening)
    except (StudyError, WeightsError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
