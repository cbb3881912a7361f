"""Simulated raters: what designs and tests are worth before anybody is asked.

    python -m study.simulate design         what the paper's design finds where nothing is
    python -m study.simulate calibration    type I errors of the tests, coverage of the intervals
    python -m study.simulate power --effect 1 --raters 8,12,24
    python -m study.simulate run --raters 24 --into sqlite:///pilot.sqlite

`design` and `calibration` write their table into results/study-design/ (or --out) and renew its
README.md, in seconds and in about four minutes on one core. study/simulate/population.py says where
their ratings come from. `run` sends raters through a study in a database as people go through it
(study/simulate/raters.py); they stay marked as simulated.
"""

import argparse
import math
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from study import cli
from study.errors import StudyError
from study.simulate.population import Population
from study.simulate.readme import readme
from study.simulate.runs import calibrate, design, power

OUT = Path(__file__).resolve().parent.parent.parent / "results" / "study-design"
SEED = 2016
SPREADS = ("rater_sd", "picture_sd", "rater_effect_sd", "picture_effect_sd", "noise_sd")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the commands and return an exit code, as `study.cli.run` does."""
    return cli.run(
        _parser(), lambda args: args.command(args), argv, errors=(StudyError, ValueError)
    )


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("study.simulate", __doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, make, text in (
        ("design", design, "what the paper's design finds where nothing is"),
        ("calibration", calibrate, "type I errors of the tests, coverage of the intervals"),
    ):
        command = commands.add_parser(name, help=text, description=make.__doc__)
        command.set_defaults(command=_write_table, make=make, name=name)
        _add_common(command)
        command.add_argument("--out", metavar="DIR", type=Path, default=OUT)
    command = commands.add_parser("power", help="how many raters to ask", description=power.__doc__)
    command.set_defaults(command=_print_power)
    _add_common(command)
    add, defaults = command.add_argument, Population()
    add("--effect", type=_points, required=True, help="control minus model, in points")
    add("--raters", type=_numbers, default=[8, 12, 24], metavar="N,N,...")
    add("--paper", action="store_true", help="the paper's design, not the counterbalanced one")
    add("--pictures", type=int, default=defaults.pictures)
    add("--margin", type=_positive, default=1.0, help="margin of the equivalence test, in points")
    for name in SPREADS:
        text = f"default: {getattr(defaults, name)}"
        add(f"--{name.replace('_', '-')}", type=_spread, default=getattr(defaults, name), help=text)
    command = commands.add_parser("run", help="send simulated raters through a study")
    command.set_defaults(command=_run)
    add = command.add_argument
    add("--into", metavar="URL", required=True, help="the database; a new one gets the ready study")
    cli.add_study(command)
    add("--raters", type=_count, default=24, help="number of raters (default: %(default)s)")
    add(
        "--lazy",
        type=int,
        default=0,
        help="how many of them answer carelessly (default: %(default)s)",
    )
    add("--effect", type=_points, default=1.0, help="control minus model, in points (default: 1)")
    add("--seed", type=int, default=0, help="seed of their opinions (default: %(default)s)")
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--studies", type=_count, default=10_000, help="how many to simulate")
    command.add_argument("--seed", type=int, default=SEED)


def _write_table(args: argparse.Namespace) -> None:
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        table = args.make(args.studies, args.seed)
        table.to_csv(args.out / f"{args.name}.csv", index=False)
        (args.out / "README.md").write_text(readme(args.out))
    except OSError as error:
        raise StudyError(f"{error.filename}: {error.strerror}.") from None
    print(f"Wrote {args.out / args.name}.csv and README.md.")


def _print_power(args: argparse.Namespace) -> None:
    spreads = {name: getattr(args, name) for name in SPREADS}
    of = Population(pictures=args.pictures, paper=args.paper, effect=args.effect, **spreads)
    table = power(of, args.raters, margin=args.margin, studies=args.studies, seed=args.seed)
    said = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in spreads.items())
    about = (
        f"Percentage of {args.studies} simulated studies that find a difference of "
        f"{args.effect:g} (p < .05); {'paper' if args.paper else 'counterbalanced'} design, "
        f"{args.pictures} pictures, {said}; seed {args.seed}; Monte-Carlo standard error at most "
        f"{50 / args.studies**0.5:.1f}. Equivalent: within {args.margin:g} by two one-sided tests "
        "with the standard error of the quasi-F test. Half width: of that test's 95% interval, in "
        "points."
    )
    print(textwrap.fill(about, 100), end="\n\n")
    shown = table.set_index("raters").map("{:.1f}".format)
    shown["half width"] = table["half_width"].map("{:.2f}".format).to_numpy()
    print(shown.drop(columns="half_width").replace("nan", "-").T.to_string(line_width=100))


def _run(args: argparse.Namespace) -> None:
    from study.db import queries
    from study.db.engine import connect, reading
    from study.prepare import freeze as prepare
    from study.simulate import raters as simulated

    rng = np.random.default_rng(args.seed)
    raters = simulated.crowd(args.raters, rng, effect=args.effect, lazy=args.lazy)
    engine = connect(args.into)
    prepare.prepare_ready_study(engine)
    with reading(engine) as session:
        name = queries.find_study(session, args.study).name
    simulated.run(engine, name, raters, rng)
    print(f"{len(raters)} simulated raters went through the study {name}.")


def _numbers(text: str) -> list[int]:
    return [_count(part) for part in text.split(",")]


def _count(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 2 or more")
    return int(text)


def _points(text: str) -> float:
    if not -10 <= (value := float(text)) <= 10:
        raise argparse.ArgumentTypeError(f"{text} is not a difference on a scale from 0 to 10")
    return value


def _spread(text: str) -> float:
    if not 0 <= (value := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"a standard deviation is 0 or more, not {text}")
    return value


def _positive(text: str) -> float:
    if not 0 < (value := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"the margin must be above 0, not {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
