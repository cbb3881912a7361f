"""The command line of the colorizer: `python -m model.colorizer`."""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path

from tqdm import tqdm

from model.colorizer.batch import EngineError, Task, run_here, run_on_ray
from model.colorizer.output import colorized_name
from model.colorizer.pins import Pin, PinError
from model.colorizer.pipeline import DEFAULT_WEIGHTS, MAX_VIVIDNESS, Colorizer, check_vividness
from model.photos import MAX_MEGAPIXELS, SUFFIXES
from model.version import VERSION
from model.weights import available_weights


def _listed(given: list[Path]) -> Iterator[Path]:
    """What was given, with the lines of each text file in its place."""
    for path in given:
        if path.suffix.lower() == ".txt" and path.is_file():
            yield from (Path(os.fsdecode(line)) for line in path.read_bytes().splitlines() if line)
        else:
            yield path


def _photos(given: list[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Each photo to do and where its result goes; folders keep their inner structure."""
    found: list[tuple[Path, Path]] = []  # each photo, and its result's folder
    for path in dict.fromkeys(_listed(given)):
        if not path.is_dir():
            found.append((path, out))
            continue
        inner = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in SUFFIXES and file.is_file() and not _is_result(file, out)
        )
        found += [(photo, out / photo.parent.relative_to(path)) for photo in inner]
    alike = Counter(folder / photo.stem for photo, folder in found)
    taken: set[Path] = set()
    for photo, folder in found:
        # apple.jpg and apple.png go by their full names, whichever comes first; those of the same
        # name in two folders that are given are numbered
        full = photo.name.replace(".", "-")
        first = photo.stem if alike[folder / photo.stem] == 1 else full
        stems = chain([first, full], (f"{full}-{number}" for number in count(2)))
        targets = (folder / colorized_name(stem) for stem in stems)
        target = next(target for target in targets if target not in taken)
        taken.add(target)
        yield photo, target


def _is_done(photo: Path, target: Path) -> bool:
    """Whether the result is there, and no older than the photo."""
    try:
        return target.stat().st_mtime >= photo.stat().st_mtime
    except OSError:
        return False


def _is_result(file: Path, out: Path) -> bool:
    """Whether an earlier call wrote this file: `out` may lie within the folder of photos."""
    written = re.search(r"-colorized(-\d+)?\.png$", file.name)
    return bool(written) and file.resolve().is_relative_to(out.resolve())


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out: {out} cannot be made a folder: {error.strerror}.") from None


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="model.colorizer",
        description=f"Colorize photos: JPEG, PNG, WebP, TIFF, BMP, GIF to {MAX_MEGAPIXELS} MP.",
    )
    parser.add_argument(
        "photos",
        nargs="+",
        type=Path,
        help="files, folders, and .txt files with a path on each line",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for <name>-colorized.png")
    parser.add_argument(
        "--weights",
        default=DEFAULT_WEIGHTS,
        help=f"{', '.join(available_weights())}, or a .safetensors file (default: %(default)s)",
    )
    parser.add_argument(
        "--pin",
        action="append",
        default=[],
        metavar="X,Y,#RRGGBB",
        help="a colour wanted at a place of the one photo given; may be repeated",
    )
    parser.add_argument(
        "--vividness",
        type=float,
        default=1,
        help=f"factor on the chroma, 0 (grey) to {MAX_VIVIDNESS} (default: %(default)s)",
    )
    parser.add_argument(
        "--alternatives",
        type=int,
        default=0,
        metavar="N",
        help="up to N other plausible versions, <name>-colorized-1.png and so on",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out photos whose result is there and newer, whatever options made it",
    )
    parser.add_argument(
        "--engine",
        choices=["here", "ray"],
        default="here",
        help="one photo after the other, or Ray Data (requirements-ray.txt), on the cluster that"
        " RAY_ADDRESS names or else on all processors (default: %(default)s)",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="of Ray, in place of all")
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    arguments = parser.parse_args(argv)
    try:
        work = list(_photos(arguments.photos, arguments.out))
        check_vividness(arguments.vividness)
        pins = [Pin.parse(text) for text in arguments.pin]
        if pins and len(work) != 1:
            raise PinError(f"--pin is for one photo; {len(work)} are given.")
        if arguments.alternatives < 0:
            raise ValueError(f"--alternatives is {arguments.alternatives}: 0 or more.")
        colorizer = Colorizer.load(arguments.weights)
        if pins and not colorizer.takes_pins:
            raise PinError(f"--pin: the weights {colorizer.name} take no pins; leave them out.")
        if arguments.alternatives and not colorizer.takes_pins:
            raise ValueError(f"--alternatives: the weights {colorizer.name} have none.")
        if arguments.workers is not None and (arguments.engine == "here" or arguments.workers < 1):
            raise ValueError(f"--workers is {arguments.workers}: 1 or more, of --engine ray.")
        _make_folder(arguments.out)
        given = len(work)
        if arguments.resume:
            work = [(photo, target) for photo, target in work if not _is_done(photo, target)]
        task = Task(colorizer, tuple(pins), arguments.vividness, arguments.alternatives)
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

    failed = [outcome.failed for outcome in outcomes if outcome.failed]
    for note in (outcome.note for outcome in outcomes if outcome.note):
        print(note, file=sys.stderr)
    for sentence in failed or ([] if given else ["there is no photo in what was given"]):
        print(f"failed: {sentence}", file=sys.stderr)
    before = f" ({given - len(work)} more were there)" if arguments.resume else ""
    done = len(work) - len(failed)
    print(f"{done} of {len(work)} photos colorized into {arguments.out}{before}")
    return 1 if failed or not given else 0
