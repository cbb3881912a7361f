"""Example pictures for the page: real ones where they can be fetched, else drawn by the program.

The committed list `example-images.csv` gives URL and SHA-256 of single Fruits-360 pictures. Fetched
pictures stay in the user's cache folder.
"""

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from PIL import Image

from model.color import luminance_to_gray, rgb_to_lab
from model.data.rendered import VARIETIES, render

LIST_FILE = Path(__file__).with_name("example-images.csv")
CACHE = Path(pooch.os_cache("fruit-colorization"))
# Seconds that a fetch may take: a page that starts does not wait for a slow network.
TIMEOUT = 3
# Height and width of drawn examples, in pixels.
RENDERED_SIZE = 300

pooch.get_logger().setLevel(logging.WARNING)


@dataclass(frozen=True)
class Example:
    """A picture file, where it comes from, and its fruit."""

    file: Path
    source: str
    fruit: str


def fetch(url: str, sha256: str, *, to: Path = CACHE, timeout: float = TIMEOUT) -> Path:
    """The picture at `url`, fetched once and kept in `to`.

    Raises:
        OSError: it cannot be fetched in time.
        ValueError: it is not the picture with this SHA-256; nothing is kept.
    """
    downloader = pooch.HTTPDownloader(timeout=timeout)
    file = pooch.retrieve(url, f"sha256:{sha256}", fname=None, path=to, downloader=downloader)
    return Path(file)


def fruits360_examples(*, list_file: Path = LIST_FILE, to: Path = CACHE) -> list[Example]:
    """The pictures of the list; none as soon as one of them cannot be fetched."""
    with list_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    examples = []
    for row in rows:
        try:
            file = fetch(row["url"], row["sha256"], to=to)
        except (OSError, ValueError, requests.RequestException):
            return []
        examples.append(Example(file, "Fruits-360", Path(row["path"]).parent.name))
    return examples


def rendered_examples(count: int, *, to: Path) -> list[Example]:
    """`count` grayscale pictures drawn by the program, the last one in its true colours."""
    examples = []
    varieties = list(VARIETIES)
    for index in range(count):
        variety = varieties[(index * 4) % len(varieties)]
        rgb = render(variety, seed=index, size=RENDERED_SIZE)
        in_color = index == count - 1
        file = to / f"{variety.lower().replace(' ', '-')}-{index}{'' if in_color else '-gray'}.png"
        Image.fromarray(rgb if in_color else luminance_to_gray(rgb_to_lab(rgb)[..., 0])).save(file)
        examples.append(Example(file, "fruit drawn by a program", variety.split()[0]))
    return examples
