"""The one pipeline: any photo in, a colour photo of the same size out.

    python -m model.colorizer PHOTO_OR_FOLDER... --out DIR

The page, the command line, the study and the tests all come through `Colorizer.colorize`.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from model.color import (
    denormalize_ab,
    lab_to_rgb,
    luminance_to_gray,
    normalize_luminance,
    rgb_to_lab,
)
from model.networks import WeightsError, available_weights, load_network, weights_path
from model.photos import MAX_MEGAPIXELS, SUFFIXES, PhotoError, array_to_rgb, read_photo

DEFAULT_WEIGHTS = "paper"
REMAP_COLUMNS = 32_000  # OpenCV's remap takes no more than 32,766
STRIP_ROWS = 256  # full-size work goes strip by strip: memory stays bounded on large photos


class Colorizer:
    """A network ready to colorize. Load once, use from any thread.

    >>> colorizer = Colorizer.load("paper")
    >>> colorizer.colorize(np.full((30, 40), 128, np.uint8)).shape
    (30, 40, 3)
    """

    def __init__(self, network: nn.Module, path: Path) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        self.path = path  # of the weights
        self.name = path.stem

    @classmethod
    def load(cls, weights: str | Path = DEFAULT_WEIGHTS) -> "Colorizer":
        """The colorizer with these weights: a name from `available_weights`, or a file.

        Raises:
            WeightsError: unknown or unusable weights.
        """
        path = weights_path(weights)
        return cls(load_network(path), path)

    def colorize(self, photo: np.ndarray) -> np.ndarray:
        """Colours for `photo`, whose luminance stays as it is at full resolution.

        Args:
            photo: (H, W) or (H, W, 1, 3 or 4); uint8, uint16, bool, or float in 0..1. Of a colour
                photo only the luminance is used.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            PhotoError: not such an array, or over `MAX_MEGAPIXELS`.
        """
        rgb = array_to_rgb(photo)
        return recolor(rgb, self.predict_ab(rgb))

    @torch.inference_mode()
    def predict_ab(self, rgb: np.ndarray) -> np.ndarray:
        """Real a and b for (H, W, 3) uint8 RGB at the network's own scale: (h, w, 2) float32."""
        height, width = rgb.shape[:2]
        factor = self.network.scale / max(height, width)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        luminance = rgb_to_lab(_resize(rgb, size))[..., 0]
        inputs = torch.from_numpy(normalize_luminance(luminance)[None, None])
        return denormalize_ab(self.network(inputs)[0].permute(1, 2, 0).numpy())


def recolor(rgb: np.ndarray, ab: np.ndarray | None) -> np.ndarray:
    """The luminance of `rgb` with the colours `ab`.

    Args:
        rgb: (H, W, 3) uint8.
        ab: (h, w, 2) float32, real a and b at any scale, brought up smoothly; None for grey.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = rgb.shape[:2]
    result = np.empty_like(rgb)
    for top in range(0, height, STRIP_ROWS):
        rows = slice(top, min(top + STRIP_ROWS, height))
        luminance = rgb_to_lab(rgb[rows])[..., 0]
        if ab is None:
            result[rows] = luminance_to_gray(luminance)
        else:
            result[rows] = lab_to_rgb(luminance, _enlarged_strip(ab, rows, height, width))
    return result


def _enlarged_strip(ab: np.ndarray, rows: slice, height: int, width: int) -> np.ndarray:
    """Rows `rows` of `ab` enlarged to (height, width): bilinear, pixel centres aligned."""
    y = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) * (ab.shape[0] / height) - 0.5
    x = (np.arange(width, dtype=np.float32) + 0.5) * (ab.shape[1] / width) - 0.5
    x_map, y_map = np.meshgrid(x, y)
    return np.hstack(
        [
            cv2.remap(
                ab,
                x_map[:, left : left + REMAP_COLUMNS],
                y_map[:, left : left + REMAP_COLUMNS],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for left in range(0, width, REMAP_COLUMNS)
        ]
    )


def _resize(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`rgb` at (width, height) `size`: area averages on the way down, cubic on the way up."""
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb
    shrinking = size[0] * size[1] < rgb.shape[0] * rgb.shape[1]
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)


def colorized_name(stem: str) -> str:
    """Name of the result: that of apple.jpg, whose stem is apple, is apple-colorized.png."""
    return f"{stem}-colorized.png"


def save_png(rgb: np.ndarray, file: Path) -> None:
    """Write (H, W, 3) uint8 RGB as a PNG without metadata; never a half-written file."""
    partial = file.with_name(file.name + ".partial")
    try:
        Image.fromarray(rgb).save(partial, format="PNG", compress_level=1)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


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
    return file.name.endswith("-colorized.png") and file.resolve().is_relative_to(out.resolve())


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=f"Colorize photos: JPEG, PNG, WebP, TIFF, BMP, GIF to {MAX_MEGAPIXELS} MP."
    )
    parser.add_argument("photos", nargs="+", type=Path, help="files and folders")
    parser.add_argument("--out", type=Path, required=True, help="folder for <name>-colorized.png")
    parser.add_argument(
        "--weights",
        default=DEFAULT_WEIGHTS,
        help=f"{', '.join(available_weights())}, or a .safetensors file (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    try:
        colorizer = Colorizer.load(arguments.weights)
        arguments.out.mkdir(parents=True, exist_ok=True)
    except (WeightsError, OSError) as error:
        print(f"model.colorizer: {error}", file=sys.stderr)
        return 2

    work = list(_photos(arguments.photos, arguments.out))
    failed = []
    for photo, target in tqdm(work, desc="colorizing", unit="photo", disable=None):
        try:
            colored = colorizer.colorize(read_photo(photo))
            target.parent.mkdir(parents=True, exist_ok=True)
            save_png(colored, target)
        except (PhotoError, OSError) as error:
            failed.append(str(error))
    for sentence in failed or ([] if work else ["there is no photo in what was given"]):
        print(f"failed: {sentence}", file=sys.stderr)
    print(f"{len(work) - len(failed)} of {len(work)} photos colorized into {arguments.out}")
    return 1 if failed or not work else 0


if __name__ == "__main__":
    sys.exit(main())
