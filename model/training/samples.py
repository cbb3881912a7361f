"""Endless training samples: fruit on white, fruit on backgrounds, photos, and hints.

A sample depends on the seed and its number alone, so that a run that is resumed, or spread over
several processes, meets the same ones.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from model.color import NEUTRAL, WHITE_LAB8
from model.metrics import fruit_mask_lab8

# Share of the samples that each source gets.
SHARES = {
    "classic": 0.15,
    "more": 0.2,
    "photos": 0.19,
    "plates": 0.02,
    "people": 0.17,
    "scenes": 0.16,
    "things": 0.11,
}
# Sources whose pictures show one fruit on white; all others are photos.
STUDIO = ("classic", "more")
# Share of samples with hints.
HINTED_SHARE = 0.25
# Share of the hinted samples whose hues are turned, so that the hints alone tell the colour.
RECOLORED_SHARE = 0.5
# Side of the largest hint, in pixels.
MAX_HINT = 9
# Share of photos that look like an old or a worn print.
AGED_SHARE = 0.3
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
        canvas: height and width of a sample, in pixels.
        photo_canvas: the same of `photos`.
        balanced: whether the groups of a source are drawn alike, however many pictures each has.
        shares: share of each source.
    """

    sources: dict[str, list[list[np.ndarray]]]
    seed: int
    backgrounds: float
    canvas: int = 96
    photo_canvas: int = 0
    balanced: bool = False
    shares: dict[str, float] = field(default_factory=SHARES.copy)

    @property
    def photos(self) -> "Samples":
        """Samples of photos alone, of `photo_canvas` pixels."""
        shares = {name: share for name, share in self.shares.items() if name not in STUDIO}
        return replace(self, canvas=self.photo_canvas, shares=shares)

    def batch(self, numbers: range) -> tuple[np.ndarray, np.ndarray]:
        """The samples of these numbers.

        Returns:
            8-bit Lab (N, 3, canvas, canvas) uint8, and hints of that shape: 8-bit a and b and a
            mask of 0 or 1.
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
        if source not in STUDIO:
            canvas = _turn_hue(_crop(picture, self.canvas, rng), turn)
        else:
            picture = _turn_hue(picture, turn)
            if rng.random() < self.backgrounds:
                canvas = _on_background(picture, self._background(rng), rng)
            elif rng.random() < NEAR_NATIVE:
                canvas = _placed(picture, self.canvas, rng)
            else:
                matrix = _placement(self.canvas, rng, 0.6, 1.25, picture.shape[0])
                canvas = _warp(picture, matrix, self.canvas, borderValue=WHITE_LAB8)
        if rng.random() < 0.3:
            canvas = _gamma(canvas, rng.uniform(0.75, 1.35))
        if source not in STUDIO and rng.random() < AGED_SHARE:
            canvas = aged(canvas, rng)
        if rng.random() < 0.5:
            canvas = canvas[:, ::-1]
        hints = _hints(canvas, rng) if hinted else np.zeros_like(canvas)
        return np.ascontiguousarray(canvas), hints

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
        """A background, (canvas, canvas, 3) uint8 Lab: a blurred photo, or a smooth neutral
        gradient."""
        if self.sources.get("photos") and rng.random() < 0.6:
            crop = _crop(self._draw("photos", rng), self.canvas, rng)
            return cv2.GaussianBlur(crop, None, rng.uniform(0.5, 4))
        corners = np.full((2, 2, 3), NEUTRAL, np.uint8)
        corners[..., 0] = np.clip(rng.normal(rng.uniform(0, 255), 40, (2, 2)), 0, 255)
        return cv2.resize(corners, (self.canvas, self.canvas), interpolation=cv2.INTER_LINEAR)


def aged(lab8: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 Lab as a print of it might look, old, worn or badly scanned: its L changes,
    and its a and b only where a border covers them."""
    changed = lab8.copy()
    light = changed[..., 0].astype(np.float32)
    if rng.random() < 0.3:  # film that sees blue and green, hardly red
        blue, green, red = cv2.split(cv2.cvtColor(lab8, cv2.COLOR_LAB2BGR).astype(np.float32))
        shares = rng.dirichlet((6, 6, 1))
        light = shares[0] * blue + shares[1] * green + shares[2] * red
    if rng.random() < 0.5:  # faded
        low = rng.uniform(0, 110)
        light = low + light * rng.uniform(0.4, 1 - low / 255)
    if rng.random() < 0.3:
        light = cv2.GaussianBlur(light, None, rng.uniform(0.4, 1.2))
    if rng.random() < 0.4:  # grain
        light += rng.normal(0, rng.uniform(2, 10), light.shape)
    light = np.clip(light, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 60))]
        light = cv2.imdecode(cv2.imencode(".jpg", light, quality)[1], cv2.IMREAD_GRAYSCALE)
    changed[..., 0] = light
    if rng.random() < 0.3:
        height, width = light.shape
        across, down = (rng.uniform(0.02, 0.1, 2) * (width, height)).astype(int)
        inside = changed[down : height - down, across : width - across]
        border = (rng.choice([rng.integers(0, 30), rng.integers(225, 256)]), NEUTRAL, NEUTRAL)
        edges = (down, down, across, across)
        changed = cv2.copyMakeBorder(
            inside, *edges, cv2.BORDER_CONSTANT, value=[int(channel) for channel in border]
        )
    return changed


def _placed(picture: np.ndarray, canvas: int, rng: np.random.Generator) -> np.ndarray:
    """`picture` at its own size somewhere on the canvas: its edge repeated around it where it is
    smaller, a part of it where it is larger."""
    room = [max(0, canvas - side) for side in picture.shape[:2]]
    y, x = (rng.integers(max(0, side - canvas) + 1) for side in picture.shape[:2])
    top, left = (rng.integers(space + 1) for space in room)
    borders = (top, room[0] - top, left, room[1] - left)
    part = picture[y : y + canvas, x : x + canvas]
    return cv2.copyMakeBorder(part, *borders, cv2.BORDER_REPLICATE)


def _placement(
    canvas: int, rng: np.random.Generator, low: float, high: float, side: int
) -> np.ndarray:
    """A random turn, scale and place of a picture of `side` pixels, as a (2, 3) matrix."""
    scale = np.exp(rng.uniform(np.log(low), np.log(high)))
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-25, 25), scale)
    slack = abs(canvas - side * scale) / 2
    matrix[:, 2] += (canvas - side) / 2 + rng.uniform(-slack, slack, 2)
    return matrix


def _warp(picture: np.ndarray, matrix: np.ndarray, canvas: int, **border) -> np.ndarray:
    return cv2.warpAffine(picture, matrix, (canvas, canvas), flags=cv2.INTER_LINEAR, **border)


def _on_background(
    picture: np.ndarray, background: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The fruit of `picture`, once or several times, on `background`."""
    mask = fruit_mask_lab8(picture).astype(np.float32)
    canvas, side = background.astype(np.float32), len(background)
    for _ in range(rng.integers(1, 4)):
        matrix = _placement(side, rng, 0.4, 1.2, picture.shape[0])
        soft = cv2.GaussianBlur(_warp(mask, matrix, side), None, 0.7)[..., None]
        fruit = _warp(picture, matrix, side, borderMode=cv2.BORDER_REPLICATE)
        canvas += soft * (fruit - canvas)
    return np.rint(canvas).astype(np.uint8)


def _crop(photo: np.ndarray, canvas: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of `photo` at a random zoom, from the whole of it to a closer look than at 256
    pixels; reflected where it is too small."""
    height, width = photo.shape[:2]
    widest, closest = 0.85 * canvas / 256, 1.2
    zoom = np.exp(rng.uniform(np.log(widest), np.log(closest))) * 256 / max(height, width)
    window = max(1, round(canvas / zoom))
    short = [max(0, window - side) for side in (height, width)]
    top, left = (rng.integers(max(0, side - window) + 1) for side in (height, width))
    part = photo[top : top + window, left : left + window]
    if any(short):
        half = [space // 2 for space in short]
        borders = (half[0], short[0] - half[0], half[1], short[1] - half[1])
        part = cv2.copyMakeBorder(part, *borders, cv2.BORDER_REFLECT)
    shrinking = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return cv2.resize(part, (canvas, canvas), interpolation=shrinking)


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


def _hints(lab8: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A few squares of the true ab, their mean each, mostly where there is colour."""
    hints, size = np.zeros_like(lab8), len(lab8)
    for _ in range(rng.geometric(0.35)):
        side = int(rng.integers(1, MAX_HINT + 1))
        for _ in range(3):  # a place in colour says more than one on the background
            y, x = rng.integers(0, size - side + 1, 2)
            ab = lab8[y : y + side, x : x + side, 1:].reshape(-1, 2).mean(0)
            if np.hypot(*(ab - NEUTRAL)) > 8:
                break
        hints[y : y + side, x : x + side, :2] = np.rint(ab)
        hints[y : y + side, x : x + side, 2] = 1
    return hints
