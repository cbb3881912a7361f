"""The command line of the colorizer: `python -m model.colorizer`."""

import argparse
import re
import sys
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path

from tqdm import tqdm

from model.colorizer import (
    DEFAULT_WEIGHTS,
    MAX_VIVIDNESS,
    UNKNOWN,
    Colorizer,
    Pin,
    PinError,
    check_vividness,
    colorized_name,
    save_png,
)
from model.networks import available_weights
from model.photos import MAX_MEGAPIXELS, SUFFIXES, PhotoError, read_photo


def _photos(given: list[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Each photo to do and where its result goes; folders keep their inner structure."""
    taken: set[Path] = set()
    for path in given:
        inner = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in SUFFIXES and file.is_file() and not _is_result(file, out)
        )
        for photo in inner if path.is_dir() else [path]:
            folder = out / photo.parent.relative_to(path) if path.is_dir() else out
            # apple.jpg may stand beside apple.png, or in two folders
            full = photo.name.replace(".", "-")
            stems = chain([photo.stem, full], (f"{full}-{number}" for number in count(2)))
            targets = (folder / colorized_name(stem) for stem in stems)
            target = next(target for target in targets if target not in taken)
            taken.add(target)
            yield photo, target


def _is_result(file: Path, out: Path) -> bool:
    """Whether an earlier call wrote this file: `out` may lie within the folder of photos."""
    written = re.search(r"-colorized(-\d+)?\.png$", file.name)
    return bool(written) and file.resolve().is_relative_to(out.resolve())


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="model.colorizer",
        description=f"Colorize photos: JPEG, PNG, WebP, TIFF, BMP, GIF to {MAX_MEGAPIXELS} MP.",
    )
    parser.add_argument("photos", nargs="+", type=Path, help="files and folders")
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
    arguments = parser.parse_args(argv)
    work = list(_photos(arguments.photos, arguments.out))
    try:
        check_vividness(arguments.vividness)
        pins = [Pin.parse(text) for text in arguments.pin]
        if pins and len(work) != 1:
            raise PinError(f"--pin is for one photo; {len(work)} are given.")
        if arguments.alternatives < 0:
            raise ValueError(f"--alternatives is {arguments.alternatives}: 0 or more.")
        colorizer = Colorizer.load(arguments.weights)
        if arguments.alternatives and not colorizer.takes_pins:
            raise ValueError(f"--alternatives: the weights {colorizer.name} have none.")
        arguments.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        print(f"model.colorizer: {error}", file=sys.stderr)
        return 2

    failed, notes = [], []
    for photo, target in tqdm(work, desc="colorizing", unit="photo", disable=None):
        try:
            rgb = read_photo(photo)
            if not colorizer.knows(rgb):
                notes.append(f"{photo.name}: {UNKNOWN}")
            versions = [()]
            if arguments.alternatives:
                versions += colorizer.alternatives(rgb, count=arguments.alternatives)
            target.parent.mkdir(parents=True, exist_ok=True)
            for number, version in enumerate(versions):
                colored = colorizer.colorize(
                    rgb, pins=[*version, *pins], vividness=arguments.vividness
                )
                save_png(colored, _numbered(target, number))
        except (PhotoError, PinError, OSError) as error:
            failed.append(str(error))
    for sentence in notes:
        print(sentence, file=sys.stderr)
    for sentence in failed or ([] if work else ["there is no photo in what was given"]):
        print(f"failed: {sentence}", file=sys.stderr)
    print(f"{len(work) - len(failed)} of {len(work)} photos colorized into {arguments.out}")
    return 1 if failed or not work else 0


def _numbered(target: Path, number: int) -> Path:
    return target.with_stem(f"{target.stem}-{number}") if number else target
