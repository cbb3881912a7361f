"""Pictures of fruit drawn by the program itself: known colours, and no download."""

import math
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from model.data.fruit import VARIETIES, Fruit, draw, rotate, rotation

# Pictures in one turn of the table.
FRAMES = 120
# Share of the picture that the longer side of the fruit takes.
FILL = 0.97
# How far the camera looks down, in radians.
CAMERA_PITCH = math.radians(14)
# Rays that are traced at a time: bounds the memory that a large picture takes.
RAYS_AT_ONCE = 300_000


def render(variety: str, *, frame: int = 0, seed: int = 0, size: int = 100) -> np.ndarray:
    """One fruit on white, (size, size, 3) uint8 RGB.

    Args and errors: as for `cut_out`.
    """
    return to_rgb(cut_out(variety, frame=frame, seed=seed, size=size)[0])


def to_rgb(light: np.ndarray) -> np.ndarray:
    """uint8 RGB of linear light 0..1."""
    return np.rint(255 * light ** (1 / 2.2)).astype(np.uint8)


def to_light(rgb: np.ndarray) -> np.ndarray:
    """Linear light 0..1, float32, of uint8 RGB."""
    return np.float32(rgb / 255) ** np.float32(2.2)


def cut_out(
    variety: str, *, frame: int = 0, seed: int = 0, size: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """One fruit to be put onto a picture.

    Args:
        variety: one of `VARIETIES`.
        frame: how far the table has turned, in `FRAMES` to a turn.
        seed: which fruit of its variety it is.
        size: height and width in pixels, 1 or more.

    Returns:
        the light of the fruit on white, (size, size, 3) float32, linear 0..1; and the share of each
        pixel that the fruit covers, (size, size) float32.

    Raises:
        ValueError: another variety or size.
    """
    if variety not in VARIETIES:
        raise ValueError(f"unknown variety {variety!r}: choose one of {', '.join(VARIETIES)}")
    if size < 1:
        raise ValueError(f"size is {size}: a picture needs at least 1 pixel a side")
    fruit = Fruit(variety, seed)
    turn = rotation(0, 2 * math.pi * (frame % FRAMES) / FRAMES)
    seen = rotation(CAMERA_PITCH, 0) @ turn @ fruit.stance
    shown = rotate(seen, np.hstack([fruit.outline, fruit.stem]))[:2]
    middle = (shown.max(axis=1) + shown.min(axis=1)) / 2
    extent = np.ptp(shown, axis=1).max() / FILL

    samples = max(2, math.ceil(250 / size))  # along each side of a pixel
    grid = ((np.arange(size * samples) + 0.5) / (size * samples) - 0.5) * extent
    columns, lines = np.float32(middle[0] + grid), np.float32(middle[1] - grid)
    band = max(1, RAYS_AT_ONCE // (size * samples**2))  # rows of pixels
    light = np.empty((size, size, 3), np.float32)
    coverage = np.empty((size, size), np.float32)
    for top in range(0, size, band):
        y, x = np.meshgrid(lines[top * samples : (top + band) * samples], columns, indexing="ij")
        drawn, hit = draw(fruit, seen, x.ravel(), y.ravel(), extent / (10 * size * samples))
        drawn = drawn.reshape(3, -1, samples, size, samples).mean(axis=(2, 4))
        light[top : top + band] = drawn.transpose(1, 2, 0)
        coverage[top : top + band] = hit.reshape(-1, samples, size, samples).mean(axis=(1, 3))
    return light, coverage


def save(path: Path, picture: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG or PNG, by the suffix of `path`, whose folder is made.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), bgr, quality):
        raise OSError(f"could not write {path}")


def write_dataset(root: Path, *, train_frames: int, test_frames: int, size: int = 100) -> None:
    """Write `<root>/{Training,Test}/<variety>/<index>_100.jpg`, as Fruits-360 is laid out.

    The pictures of a variety go round the turntable in equal steps, with Test spread evenly among
    them. Past one turn, another fruit of the variety follows.

    Raises:
        ValueError: no frames, or a negative number of them.
        OSError: a picture cannot be written.
    """
    total = train_frames + test_frames
    if min(train_frames, test_frames) < 0 or total == 0:
        raise ValueError(f"cannot write {train_frames} training and {test_frames} test frames")
    jobs = [(variety, index) for variety in VARIETIES for index in range(total)]
    for variety, index in tqdm(jobs, desc=f"drawing fruit into {root}", unit="", disable=None):
        seed, frame = divmod(index * math.ceil(total / FRAMES) * FRAMES // total, FRAMES)
        is_test = (index + 1) * test_frames // total > index * test_frames // total
        picture = render(variety, frame=frame, seed=seed, size=size)
        save(root / ("Test" if is_test else "Training") / variety / f"{index}_100.jpg", picture)


def sheet(size: int = 160) -> np.ndarray:
    """Every variety, a row each: one fruit over a turn, then three others of its kind. (9 * size,
    9 * size, 3) uint8 RGB."""
    views = [(frame, 0) for frame in range(0, FRAMES, 20)] + [(0, 1), (0, 2), (0, 3)]
    rows = [[render(name, frame=f, seed=s, size=size) for f, s in views] for name in VARIETIES]
    return np.vstack([np.hstack(row) for row in rows])
