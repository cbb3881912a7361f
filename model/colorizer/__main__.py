"""The command line of the colorizer.

python -m model.colorizer PHOTO_OR_FOLDER... --out DIR
python -m model.colorizer PHOTO --out DIR --pin 120,80,#c03020 --vividness 1.2
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from model.colorizer.batch import EngineError, Outcome, Task, Work, run_here, run_on_ray
from model.colorizer.output import choose_results, find_result, possible_results
from model.colorizer.pins import Pin, PinError
from model.colorizer.pipeline import MAX_VIVIDNESS, Colorizer, check_vividness
from model.colorizer.spreading import DEFAULT_REACH, REACHES
from model.photos import FORMAT_NAMES, MAX_MEGAPIXELS, SUFFIXES
from model.version import VERSION
from model.weights import DEFAULT_WEIGHTS, available_weights


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    options = argparse.ArgumentParser(
        prog="model.colorizer",
        description=f"Colorize photos: {FORMAT_NAMES} up to {MAX_MEGAPIXELS} megapixels.",
    )
    options.add_argument(
        "photos",
        nargs="+",
        type=Path,
        help="files, folders, and .txt files with a path on each line",
    )
    options.add_argument("--out", type=Path, required=True, help="folder for <name>-colorized.png")
    options.add_argument(
        "--weights",
        default=DEFAULT_WEIGHTS,
        help=f"{', '.join(available_weights())}, or a .safetensors file (default: %(default)s)",
    )
    options.add_argument(
        "--pin",
        action="append",
        default=[],
        metavar="X,Y,#RRGGBB",
        help="a colour and the place that is to have it, for a single photo; may be repeated",
    )
    options.add_argument(
        "--reach",
        choices=REACHES,
        default=DEFAULT_REACH,
        help="how far the colour of a pin spreads: over its spot, the object that it is on, or"
        " everything like it (default: %(default)s)",
    )
    options.add_argument(
        "--vividness",
        type=float,
        default=1,
        help=f"factor on the chroma, 0 (grey) to {MAX_VIVIDNESS} (default: %(default)s)",
    )
    options.add_argument(
        "--alternatives",
        type=int,
        default=0,
        metavar="N",
        help="up to N other plausible versions, <name>-colorized-1.png and so on; fewer where no"
        " more are clearly different",
    )
    options.add_argument(
        "--resume",
        action="store_true",
        help="skip photos whose result is there and newer, whatever options made it",
    )
    options.add_argument(
        "--engine",
        choices=["here", "ray"],
        default="here",
        help="one photo after the other, or Ray Data (requirements-ray.txt), on the cluster that"
        " RAY_ADDRESS names or else on all processors (default: %(default)s)",
    )
    options.add_argument(
        "--workers", type=int, metavar="N", help="number of Ray's workers (default: all processors)"
    )
    options.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return options


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        photos = list(_photos(arguments.photos, arguments.out))
        task = _task(arguments, len(photos))
        _make_folder(arguments.out)
        work = _work(photos, resume=arguments.resume)
        if arguments.engine == "ray" and work:
            outcomes = run_on_ray(task, work, workers=arguments.workers)
        else:
            outcomes = run_here(task, work)
        outcomes = list(tqdm(outcomes, "colorizing", len(work), unit="photo", disable=None))
    except KeyboardInterrupt:
        print("\nInterrupted. Go on with the same command and --resume.", file=sys.stderr)
        return 130
    except (ValueError, OSError, EngineError) as error:
        print(f"model.colorizer: {error}", file=sys.stderr)
        return 2
    if not photos:
        given = ", ".join(map(str, arguments.photos))
        print(f"failed: no photos were found in {given}.", file=sys.stderr)
    failed = _report(outcomes)
    print(_summary(len(photos), len(work), failed, arguments.out))
    return 1 if failed or not photos else 0


def _listed(given: list[Path]) -> Iterator[Path]:
    """The paths given, with the lines of each text file in its place."""
    for path in given:
        if path.suffix.lower() == ".txt" and path.is_file():
            yield from (Path(os.fsdecode(line)) for line in path.read_bytes().splitlines() if line)
        else:
            yield path


def _photos(given: list[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Each photo to colorize, once, and the folder of its result: below `out`, folders keep their
    inner structure."""
    seen: set[tuple[str, Path]] = set()
    for photo, folder in _found(given, out):
        key = os.path.normpath(photo.absolute()), folder
        if key not in seen:
            seen.add(key)
            yield photo, folder


def _found(given: list[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    for path in _listed(given):
        if not path.is_dir():
            yield path, out
            continue
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in SUFFIXES and file.is_file() and not _is_result(file, out):
                yield file, out / file.parent.relative_to(path)


def _is_result(file: Path, out: Path) -> bool:
    """Whether an earlier call wrote this file: `out` may lie within the folder of photos."""
    written = re.search(r"-colorized(-\d+)?\.png$", file.name)
    return bool(written) and file.resolve().is_relative_to(out.resolve())


def _task(arguments: argparse.Namespace, photos: int) -> Task:
    """The task for each of the photos, which are this many.

    Raises:
        ValueError: options that cannot be used, in one sentence.
    """
    check_vividness(arguments.vividness)
    pins = [Pin.parse(text) for text in arguments.pin]
    if pins and photos != 1:
        raise PinError(f"--pin is for one photo; {photos} are given.")
    if arguments.alternatives < 0:
        raise ValueError(f"--alternatives is {arguments.alternatives}: 0 or more.")
    colorizer = Colorizer.load(arguments.weights)
    if pins and not colorizer.takes_pins:
        raise PinError(f"--pin: the weights {colorizer.name} take no pins; leave them out.")
    if arguments.alternatives and not colorizer.takes_pins:
        raise ValueError(f"--alternatives: the weights {colorizer.name} have none.")
    if arguments.workers is not None and (arguments.engine == "here" or arguments.workers < 1):
        raise ValueError(f"--workers is {arguments.workers}: 1 or more, of --engine ray.")
    return Task(
        colorizer,
        tuple(pins),
        reach=arguments.reach,
        vividness=arguments.vividness,
        alternatives=arguments.alternatives,
    )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out: {out} cannot be made a folder: {error.strerror}.") from None


def _work(photos: list[tuple[Path, Path]], *, resume: bool) -> Work:
    """The photos with a file for the result of each; with `resume` those that have no result."""
    possible = [possible_results(photo, folder) for photo, folder in photos]
    work: Work = []
    for (photo, _), files, target in zip(photos, possible, choose_results(possible), strict=True):
        if resume:
            target, is_done = find_result(photo, files, target)
            if is_done:
                continue
        work.append((photo, target))
    return work


def _report(outcomes: list[Outcome]) -> int:
    """Print what is to be said about the outcomes, and count the failures."""
    failed = [outcome.failed for outcome in outcomes if outcome.failed]
    for note in (outcome.note for outcome in outcomes if outcome.note):
        print(note, file=sys.stderr)
    for sentence in failed:
        print(f"failed: {sentence}", file=sys.stderr)
    return len(failed)


def _summary(photos: int, work: int, failed: int, out: Path) -> str:
    """The last line, on `work` of the photos, of which so many failed; the others were there."""
    if photos and not work:
        return f"Nothing to do: {'the result is' if photos == 1 else f'all {photos} are'} there."
    before = f" ({photos - work} done before)" if photos > work else ""
    where = f"; results in {out}" if work > failed else ""
    return f"{work - failed} of {work} photos colorized{before}{where}"


if __name__ == "__main__":
    sys.exit(main())
