"""The public archive of Fruits-360: fetched once, and unpacked as far as it is needed."""

import zipfile
import zlib
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from model.data.fruits360 import DataError, find_root, is_in_paper

ARCHIVE_URL = "https://github.com/Horea94/Fruit-Images-Dataset/archive/refs/heads/master.zip"
LICENCE = (
    "Fruits-360: MIT licence, copyright 2017-2019 Mihai Oltean, Horea Muresan; Apple Crimson Snow,"
    " Apple Pink Lady and varieties added later: CC BY-SA 4.0, Mihai Oltean"
)


def download(to: Path, *, url: str = ARCHIVE_URL, timeout: float = 30) -> Path:
    """Fetch the public archive and unpack the two folders that are needed.

    A broken-off download starts again; a complete archive is kept and not fetched twice.

    Returns:
        `to`, ready for `--data`.

    Raises:
        DataError: the archive cannot be fetched, is damaged, or holds no picture.
    """
    pooch.get_logger().setLevel("WARNING")
    try:
        # pooch puts the true total in; with none at all it would take the bar for absent
        with tqdm(total=1, desc="downloading", unit="B", unit_scale=True, disable=None) as bar:
            downloader = pooch.HTTPDownloader(progressbar=bar, timeout=timeout)
            archive = pooch.retrieve(
                url, known_hash=None, fname="fruits-360.zip", path=to, downloader=downloader
            )
    except (requests.RequestException, OSError, ValueError) as error:
        raise DataError(f"{url} cannot be fetched: {error}.") from None
    try:
        with zipfile.ZipFile(archive) as packed:
            for member in tqdm(packed.infolist(), desc="unpacking", unit="", disable=None):
                *_, folder, variety, name = ["", "", *member.filename.split("/")]
                wanted = folder in ("Training", "Test") and name.endswith("_100.jpg")
                if wanted and is_in_paper(variety):
                    target = to / folder / variety / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(packed.read(member))
    except (zipfile.BadZipFile, zlib.error, EOFError):
        Path(archive).unlink()
        raise DataError(f"What {url} sent is no complete zip archive; start again.") from None
    except OSError as error:
        raise DataError(f"{url} cannot be unpacked into {to}: {error}.") from None
    try:
        return find_root(to)
    except DataError:
        Path(archive).unlink()
        raise
