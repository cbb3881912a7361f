"""The Fruits-360 folder: what is in it, and how to get it.

python -m model.fruits360 describe --data DIR
python -m model.fruits360 download --to DIR
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from model.data.archive import ARCHIVE_URL, LICENCE, download
from model.data.fruits360 import PAPER_COUNTS, DataError, canonical_name, find_root, list_files


def describe(root: Path) -> str:
    """Varieties and counts as text, and what differs from the paper's subset."""
    counted = [
        Counter(canonical_name(file.parent.name) for file in list_files(root, folder))
        for folder in ("Training", "Test")
    ]
    varieties = sorted(counted[0] | counted[1])
    lines = [f"{'variety':24}{'Training':>9}{'Test':>7}"]
    lines += [f"{v:24}{counted[0][v]:9,}{counted[1][v]:7,}" for v in varieties]
    total = [counts.total() for counts in counted]
    lines += [f"{f'{len(varieties)} varieties':24}{total[0]:9,}{total[1]:7,}", ""]
    if any("Rendered" in variety for variety in varieties):
        lines.append("These pictures are drawn by model/data/rendered.py; they are not Fruits-360.")

    found = {variety: (counted[0][variety], counted[1][variety]) for variety in varieties}
    paper = " / ".join(f"{sum(column):,}" for column in zip(*PAPER_COUNTS.values(), strict=True))
    if found == PAPER_COUNTS:
        return "\n".join([*lines, f"This is the paper's subset: {paper}."])
    lines.append(f"This is not the paper's subset ({len(PAPER_COUNTS)} varieties, {paper}):")
    for variety in sorted(PAPER_COUNTS | found):
        want, have = PAPER_COUNTS.get(variety), found.get(variety)
        if have is None:
            lines.append(f"  missing: {variety} ({want[0]} / {want[1]})")
        elif want is None:
            lines.append(f"  not in the paper's version: {variety} ({have[0]} / {have[1]})")
        elif have != want:
            lines.append(
                f"  {variety}: {have[0]} / {have[1]}, the paper's has {want[0]} / {want[1]}"
            )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m model.fruits360", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    described = commands.add_parser("describe", help="print varieties, counts and what is missing")
    described.add_argument("--data", help="the Fruits-360 folder (default: FRUITS360_DIR)")
    downloaded = commands.add_parser("download", help="fetch the public archive")
    downloaded.add_argument("--to", type=Path, required=True, help="folder to put it in")
    downloaded.add_argument("--url", default=ARCHIVE_URL, help="archive (default: %(default)s)")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "download":
            print(LICENCE)
            root = download(arguments.to, url=arguments.url)
        else:
            root = find_root(arguments.data)
        print(describe(root))
    except KeyboardInterrupt:
        return 130
    except DataError as error:
        print(f"model.fruits360: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
