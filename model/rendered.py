"""Draw fruit with known colours.

python -m model.rendered --to data/rendered --train-frames 90 --test-frames 30
python -m model.rendered --sheet rendered.png
"""

import argparse
import sys
from pathlib import Path

from model.data.rendered import save, sheet, write_dataset


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="model.rendered", description="Draw fruit with known colours."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", type=Path, metavar="DIR", help="write a data set there")
    what.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw all on one sheet")
    parser.add_argument("--train-frames", type=int, default=90, help="of each variety")
    parser.add_argument("--test-frames", type=int, default=30, help="of each variety")
    options = parser.parse_args(argv)
    try:
        if options.sheet:
            save(options.sheet, sheet())
        else:
            train, test = options.train_frames, options.test_frames
            write_dataset(options.to, train_frames=train, test_frames=test)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
