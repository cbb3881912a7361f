"""Results on disk."""

from pathlib import Path

import numpy as np
from PIL import Image


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
