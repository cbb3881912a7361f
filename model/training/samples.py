"""Endless training samples: fruit on white, fruit on backgrounds, photos, and hints.

A sample depends on the seed and its number alone, so that a run that is resumed, or spread over
several processes, meets the same ones.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from model.color import NEUTRAL, WHITE_LAB8
from model.metrics import fruit_mask_lab8

# Height and width of a sample, in pixels: a Fruits-360 picture and room to move it.
CANVAS = 112
# Share of the samples that each source gets.
SHARES = {"classic": 0.5, "more": 0.16, "photos": 0.34}
# Share of samples with hints.
HINTED_SHARE = 0.35
# Share of the hinted samples whose hues are turned, so that the hints alone tell the colour.
RECOLORED_SHARE = 0.5
# Side of the largest hint, in pixels.
MAX_HINT = 9
# Share of fruit on white that keeps its size, as the pipeline shows it.
NEAR_NATIVE = 0.9


@dataclass(frozen=True)
class Samples:
    """A source of training samples.

    Attributes:
        sources: 8-bit Lab pictures, (H, W, 3) uint8, by the names in `shares`, and within each
            grouped by variety or kind of fruit; a missing source leaves its share to the others.
        seed: what all that is random depends on.
        backgrounds: share of fruit that is cut out and put on another background.
        balanced: whether the groups of a source are drawn alike, however many pictures each has.
        shares: share of each source.
    """

    sources: dict[str, list[list[np.ndarray]]]
    seed: int
    backgrounds: float
    balanced: bool = False
    shares: dict[str, float] = field(default_factory=SHARES.copy)

    def batch(self, numbers: range) -> tuple[np.ndarray, np.ndarray]:
        """The samples of these numbers.

        Returns:
            8-bit Lab (N, 3, CANVAS, CANVAS) uint8, and hints (N, 3, CANVAS, CANVAS) uint8: 8-bit a
            and b and a mask of 0 or 1.
        """
        made = [self._sample(np.random.default_rng([self.seed, number])) for number in numbers]
        return tuple(np.stack(part).transpose(0, 3, 1, 2) for part in zip(*made, strict=True))

    def _sample(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        present = [name for name in self.shares if self.sources.get(name)]
        shares = np.array([self.shares[name] for name in present])
        source = present[rng.choice(len(present), p=shares / shares.sum())]
        picture = self._draw(source, rng)
        hinted = rng.random() < HINTED_SHARE
        turn = rng.uniform(0, 2 * np.pi) if hinted and rng.random() < RECOLORED_SHARE else 0
        if source == "photos":
            canvas = _turn_hue(_crop(picture, rng), turn)
        else:
            picture = _turn_hue(picture, turn)
            if rng.random() < self.backgrounds:
                canvas = _on_background(picture, self._background(rng), rng)
            elif rng.random() < NEAR_NATIVE:
                canvas = _placed(picture, rng)
            else:
                matrix = _placement(rng, 0.6, 1.25, picture.shape[0])
                canvas = _warp(picture, matrix, borderValue=WHITE_LAB8)
        if rng.random() < 0.3:
            canvas = _gamma(canvas, rng.uniform(0.75, 1.35))
        if rng.random() < 0.5:
            canvas = canvas[:, ::-1]
        return np.ascontiguousarray(canvas), _hints(canvas, rng) if hinted else _no_hints()

    def _draw(self, source: str, rng: np.random.Generator) -> np.ndarray:
        groups = self.sources[source]
        if self.balanced:
            groups = [groups[rng.integers(len(groups))]]
        index = rng.integers(sum(map(len, groups)))
        for group in groups:
            if index < len(group):
                return group[index]
            index -= len(group)

    def _background(self, rng: np.random.Generator) -> np.ndarray:
        """A background, (CANVAS, CANVAS, 3) uint8 Lab: a blurred photo, or a smooth neutral
        gradient."""
        if self.sources.get("photos") and rng.random() < 0.6:
            crop = _crop(self._draw("photos", rng), rng)
            return cv2.GaussianBlur(crop, None, rng.uniform(0.5, 4))
        corners = np.full((2, 2, 3), NEUTRAL, np.uint8)
        corners[..., 0] = np.clip(rng.normal(rng.uniform(0, 255), 40, (2, 2)), 0, 255)
        return cv2.resize(corners, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)


def _placed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`picture` at its own size somewhere on the canvas, its edge repeated around it."""
    room = [max(0, CANVAS - side) for side in picture.shape[:2]]
    top, left = (rng.integers(space + 1) for space in room)
    borders = (top, room[0] - top, left, room[1] - left)
    return cv2.copyMakeBorder(picture, *borders, cv2.BORDER_REPLICATE)[:CANVAS, :CANVAS]


def _placement(rng: np.random.Generator, low: float, high: float, side: int) -> np.ndarray:
    """A random turn, scale and place of a picture of `side` pixels, as a (2, 3) matrix."""
    scale = np.exp(rng.uniform(np.log(low), np.log(high)))
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-25, 25), scale)
    slack = abs(CANVAS - side * scale) / 2
    matrix[:, 2] += (CANVAS - side) / 2 + rng.uniform(-slack, slack, 2)
    return matrix


def _warp(picture: np.ndarray, matrix: np.ndarray, **border) -> np.ndarray:
    return cv2.warpAffine(picture, matrix, (CANVAS, CANVAS), flags=cv2.INTER_LINEAR, **border)


def _on_background(
    picture: np.ndarray, background: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The fruit of `picture`, once or several times, on `background`."""
    mask = fruit_mask_lab8(picture).astype(np.float32)
    canvas = background.astype(np.float32)
    for _ in range(rng.integers(1, 4)):
        matrix = _placement(rng, 0.4, 1.2, picture.shape[0])
        soft = cv2.GaussianBlur(_warp(mask, matrix), None, 0.7)[..., None]
        canvas += soft * (_warp(picture, matrix, borderMode=cv2.BORDER_REPLICATE) - canvas)
    return np.rint(canvas).astype(np.uint8)


def _crop(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random part of `photo` at a random zoom, reflected where it is too small."""
    height, width = photo.shape[:2]
    zoom = np.exp(rng.uniform(np.log(0.42), np.log(1.2))) * 256 / max(height, width)
    window = max(1, round(CANVAS / zoom))
    short = [max(0, window - side) for side in (height, width)]
    top, left = (rng.integers(max(0, side - window) + 1) for side in (height, width))
    part = photo[top : top + window, left : left + window]
    if any(short):
        half = [space // 2 for space in short]
        borders = (half[0], short[0] - half[0], half[1], short[1] - half[1])
        part = cv2.copyMakeBorder(part, *borders, cv2.BORDER_REFLECT)
    shrinking = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return cv2.resize(part, (CANVAS, CANVAS), interpolation=shrinking)


def _gamma(lab8: np.ndarray, exponent: float) -> np.ndarray:
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    changed = lab8.copy()
    changed[..., 0] = table[lab8[..., 0]]
    return changed


def _turn_hue(lab8: np.ndarray, angle: float) -> np.ndarray:
    """All hues turned by `angle` (radians); grey stays grey."""
    if not angle:
        return lab8
    a, b = np.moveaxis(lab8[..., 1:].astype(np.float32) - NEUTRAL, -1, 0)
    turned = np.stack(
        [a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], -1
    )
    ab8 = np.clip(np.rint(turned + NEUTRAL), 0, 255).astype(np.uint8)
    return np.dstack([lab8[..., 0], ab8])


def _no_hints() -> np.ndarray:
    return np.zeros((CANVAS, CANVAS, 3), np.uint8)


def _hints(lab8: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A few squares of the true ab, their mean each, mostly where there is colour."""
    hints = _no_hints()
    for _ in range(rng.geometric(0.35)):
        side = int(rng.integers(1, MAX_HINT + 1))
        for _ in range(3):  # a place in colour says more than one on the background
            y, x = rng.integers(0, CANVAS - side + 1, 2)
            ab = lab8[y : y + side, x : x + side, 1:].reshape(-1, 2).mean(0)
            if np.hypot(*(ab - NEUTRAL)) > 8:
                break
        hints[y : y + side, x : x + side, :2] = np.rint(ab)
        hints[y : y + side, x : x + side, 2] = 1
    return hints
