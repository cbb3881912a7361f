"""Data sets of rendered fruit, in the layouts that the program reads."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from model.data import rendered
from model.metrics import fruit_mask
from model.photos import resize

# Further varieties, two each to train on, to choose by and to report on, and what is drawn there.
FURTHER_VARIETIES = {
    "Apple 5": "Apple Rendered Red",
    "Cherry 4": "Cherry Rendered Red",
    "Apple 9": "Apple Rendered Green",
    "Cherry 5": "Cherry Rendered Yellow",
    "Apple 7": "Apple Rendered Red Yellow",
    "Cherry Sour 1": "Cherry Rendered Dark",
}


def write_rendered(root: Path) -> None:
    """Nine varieties, 14 and 4 pictures each, drawn at half their size in half the time."""
    rendered.write_dataset(root, train_frames=14, test_frames=4, size=50)
    for file in root.rglob("*.jpg"):
        rendered.save(file, resize(np.asarray(Image.open(file)), (100, 100)))


def link_varieties(rendered_dir: Path, root: Path) -> None:
    """`FURTHER_VARIETIES`, one folder each."""
    root.mkdir()
    for variety, drawn in FURTHER_VARIETIES.items():
        (root / variety).symlink_to(rendered_dir / "Training" / drawn)


def draw_photos(rendered_dir: Path, root: Path) -> None:
    """Photos of fruit in the folders `grocery/train`, `grocery/val`, `orchard-apple` and
    `plates`."""
    folders = {"grocery/train/Apple": 12, "grocery/train/Pear": 12, "orchard-apple": 4}
    folders |= {"grocery/val/Apple": 3, "grocery/val/Pear": 3}
    _draw_scenes(rendered_dir, root, folders)
    for file in sorted((rendered_dir / "Training").glob("Apple*/*.jpg"))[:4]:
        (root / "plates").mkdir(exist_ok=True)
        rendered.save(root / "plates" / file.name, resize(np.asarray(Image.open(file)), (64, 64)))


def draw_general(rendered_dir: Path, root: Path) -> None:
    """Photos in the folders of ordinary ones: of people, of scenes and of things."""
    sources = ("london_faces", "cid22", "flower_photos")
    folders = {f"{part}/{source}": 4 for part in ("train", "val") for source in sources}
    _draw_scenes(rendered_dir, root, folders | {"val/kodak": 2})


def _draw_scenes(rendered_dir: Path, root: Path, folders: dict[str, int]) -> None:
    for number, (folder, count) in enumerate(folders.items()):
        kind = "Pear" if folder.endswith("Pear") else "Apple"
        fruit = sorted((rendered_dir / "Training").glob(f"{kind}*/*.jpg"))
        rng = np.random.default_rng(number)
        (root / folder).mkdir(parents=True)
        for index in range(count):
            scene = _scene([np.asarray(Image.open(file)) for file in rng.choice(fruit, 3)], rng)
            Image.fromarray(scene).save(root / folder / f"{kind}_{index:03}.jpg", quality=95)


def _scene(fruit: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """A photo with `fruit`, pictures on white, side by side on something brown or green."""
    height, width = rng.permutation((200, 300))
    corners = rng.integers((60, 60, 20), (140, 120, 60), (3, 3, 3)).astype(np.float32)
    scene = cv2.resize(corners, (int(width), int(height))) + rng.normal(0, 6, (height, width, 1))
    for number, picture in enumerate(fruit):
        side = int(rng.integers(70, 95))
        mask = cv2.resize(fruit_mask(picture).astype(np.float32), (side, side))[..., None]
        along = number * 100 + int(rng.integers(100 - side))
        across = int(rng.integers(200 - side))
        top, left = (across, along) if width > height else (along, across)
        part = scene[top : top + side, left : left + side]
        part += mask * (cv2.resize(picture, (side, side)) - part)
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)
