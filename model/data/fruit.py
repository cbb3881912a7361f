"""Fruit as closed surfaces with a skin, ray traced.

A fruit is `radius(direction)` around its centre: shape -> normals -> place on the skin -> colour of
the skin -> light -> picture. All of it is a function of the place on the fruit, never of the pixel,
so it turns with the fruit and looks the same at any size.

Points are (3, N) float32. On the fruit, y runs along the stem; seen from the camera, x is to the
right, y up and z towards the viewer. One unit is about the fruit's radius. Colours are sRGB 0..255.
"""

import math
import zlib
from dataclasses import dataclass

import cv2
import numpy as np

# Direction of the key light, from the upper left, a unit vector.
KEY_LIGHT = np.float32([-0.48, 0.62, 0.62])
RUSSET = "#8c6a40"


@dataclass(frozen=True)
class Shape:
    """The features that all fruit of one kind share.

    Attributes:
        lobes: bumps and dimples, each with its pole (1 or -1), height and width.
        flatness: height of the body over its width, before the lobes.
        ribs: strength of the five-fold waviness.
        bend: curvature of the axis.
        stem: length, thickness and sideways sweep of the stem.
        stem_colours: colours of the stem at the skin and at the tip.
        gloss: strength of reflections.
        sharpness: sharpness of the highlight, from 0 (waxy) to 1 (polished).
        translucency: how far light wraps round the body.
    """

    lobes: tuple[tuple[int, float, float], ...]
    flatness: float
    ribs: float
    bend: float
    stem: tuple[float, float, float]
    stem_colours: tuple[str, str]
    gloss: float
    sharpness: float
    translucency: float


@dataclass(frozen=True)
class Variety:
    """A kind's shape and the layers of the skin, from the inside out.

    Attributes:
        ground: colour of the skin below all else.
        blush: colour of the side that faced the sun.
        coverage: share of the skin that is blushed, from -1 (none) to 1 (all).
        streaks: how far the blush breaks up into stripes from pole to pole.
        specks: colour of the lenticels.
        speckle: number of lenticels, 0..1.
        russet: amount of corky brown, most of it round the stem, 0..1.
    """

    shape: Shape
    ground: str
    blush: str
    coverage: float
    streaks: float
    specks: str
    speckle: float
    russet: float


# fmt: off
_APPLE = Shape(((1, -0.42, 0.055), (1, 0.07, 0.5), (-1, -0.16, 0.04), (-1, -0.10, 0.5)),
               0.97, 0.16, 0.04, (0.50, 0.026, 0.18), ("#706434", "#5c4028"), 0.8, 0.4, 0.12)
_CHERRY = Shape(((1, -0.25, 0.06), (1, 0.08, 0.4), (-1, 0.03, 0.3)),
                0.93, 0.05, 0.03, (1.45, 0.028, 0.60), ("#7a843a", "#705832"), 1.2, 0.9, 0.25)
_PEAR = Shape(((1, 0.90, 0.095), (-1, -0.14, 0.03), (-1, -0.05, 0.4)),
              1.0, 0.10, 0.05, (0.38, 0.034, 0.14), ("#6c5630", "#4c3624"), 0.5, 0.15, 0.16)

VARIETIES: dict[str, Variety] = {
    "Apple Rendered Green": Variety(_APPLE, "#98aa4c", "#b4ae5a", -0.5, 0.06, "#ccd28c", 0.4, 0.3),
    "Apple Rendered Red": Variety(_APPLE, "#ce9640", "#96161e", 0.8, 0.22, "#d69668", 0.5, 0.3),
    "Apple Rendered Red Yellow": Variety(
        _APPLE, "#e0be5c", "#ae222c", 0.1, 0.26, "#f0ce8c", 0.4, 0.4),
    "Cherry Rendered Dark": Variety(_CHERRY, "#5c0a1c", "#360512", 0.2, 0.04, "#641824", 0.1, 0),
    "Cherry Rendered Red": Variety(_CHERRY, "#ac1826", "#76081c", 0.1, 0.04, "#c84240", 0.2, 0),
    "Cherry Rendered Yellow": Variety(_CHERRY, "#eeba54", "#ca403a", -0.2, 0.06, "#de7a4c", 0.4, 0),
    "Pear Rendered Blushed": Variety(_PEAR, "#bab45e", "#a04832", -0.1, 0.06, "#7a5a34", 0.7, 0.4),
    "Pear Rendered Green": Variety(_PEAR, "#a2a64c", "#b2aa52", -0.2, 0.0, "#62562c", 0.9, 0.4),
    "Pear Rendered Yellow": Variety(_PEAR, "#dabc4a", "#dca648", -0.1, 0.0, "#946c34", 0.7, 0.5),
}
# fmt: on


class Noise:
    """A smooth random field of unit variance: plane waves of random direction and phase."""

    def __init__(self, rng: np.random.Generator, frequency: float, octaves: float):
        frequencies = frequency * 2 ** np.linspace(0, octaves, 20)
        directions = rng.normal(size=(3, 20))
        waves = frequencies * directions / np.linalg.norm(directions, axis=0)
        heights = math.sqrt(2) * frequencies**-1.0 / np.linalg.norm(frequencies**-1.0)
        self.waves = np.float32([*waves, rng.uniform(0, 2 * np.pi, 20), heights]).T

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(3, N) -> (N,)"""
        x, y, z = points
        return sum(h * np.cos(a * x + b * y + c * z + phase) for a, b, c, phase, h in self.waves)


class Fruit:
    """One individual of a variety: its body, its skin and how it stands on the turntable."""

    def __init__(self, variety: str, seed: int):
        self.variety, shape = VARIETIES[variety], VARIETIES[variety].shape
        rng = np.random.default_rng(zlib.crc32(f"{variety}/{seed}".encode()))
        grown = 1 + 0.12 * rng.uniform(-1, 1, len(shape.lobes))
        lobes = zip(shape.lobes, grown, strict=True)
        self.lobes = [(pole, height * growth, width) for (pole, height, width), growth in lobes]
        self.flatness = shape.flatness * rng.uniform(0.95, 1.05)
        self.bend = np.float32(shape.bend * rng.normal(size=2))
        self.ribs, self.rib_angle = shape.ribs * rng.uniform(0.5, 1.2), rng.uniform(0, 2 * np.pi)
        lean, towards = math.radians(rng.uniform(6, 20)), rng.uniform(0, 2 * np.pi)
        self.stance = rotation(0, towards) @ rotation(lean, 0)
        self.tint = np.float32(rng.uniform(0.93, 1.05) * rng.uniform(0.97, 1.03, (3, 1)))
        sun = rng.uniform(0, 2 * np.pi)
        self.sun = np.float32([math.cos(sun), rng.uniform(-0.1, 0.5), math.sin(sun)])
        self.coverage = self.variety.coverage + rng.uniform(-0.12, 0.12)
        self.mottle, self.fine = Noise(rng, 2, 3.5), Noise(rng, 30, 1.5)
        self.streaks = Noise(rng, 24, 1.5)
        self.cells = rng.random((5, 32, 32, 32), dtype=np.float32)
        self.stem = self._stem(rng.uniform(0.85, 1.15), rng.uniform(0, 2 * np.pi))
        self.outline = self._outline()
        self.reach = np.linalg.norm(self.outline, axis=0).max() * np.float32(1.02)

    def _stem(self, growth: float, angle: float) -> np.ndarray:
        """Centre line from the floor of the cavity to the tip of the stem, (3, 25)."""
        length, _, sweep = self.variety.shape.stem
        floor = self.flatness * (1 + sum(h for pole, h, _ in self.lobes if pole > 0))
        along = np.linspace(0, 1, 25)
        aside = sweep * (along**2 + 0.06 * np.sin(5 * along))
        height = floor - 0.04 + growth * length * along * (1 - 0.15 * along)
        x, z = self.bend * floor**2
        return np.float32([x + aside * math.cos(angle), height, z + aside * math.sin(angle)])

    def _outline(self) -> np.ndarray:
        """A coarse mesh of the skin, (3, 3600): enough to frame the fruit."""
        polar, azimuth = np.meshgrid(np.linspace(0, np.pi, 60), np.linspace(0, 2 * np.pi, 60))
        ring = np.sin(polar)
        unit = np.float32([ring * np.cos(azimuth), np.cos(polar), ring * np.sin(azimuth)])
        x, y, z = (unit * self.radius(unit)).reshape(3, -1)
        y = y * self.flatness
        return np.float32([x + self.bend[0] * y * y, y, z + self.bend[1] * y * y])

    def radius(self, unit: np.ndarray) -> np.ndarray:
        """Distance from the centre to the skin of the straight fruit in unit directions. (N,)"""
        x, y, z = unit
        radius = np.ones_like(y)
        for pole, height, width in self.lobes:
            radius += np.float32(height) * np.exp((pole * y - 1) * np.float32(1 / width))
        side = x * np.float32(math.cos(self.rib_angle)) + z * np.float32(math.sin(self.rib_angle))
        belt, side2 = 1 - y * y, side * side  # `five` is cos(5 azimuth) sin(polar)^5
        five = side * ((16 * side2 - 20 * belt) * side2 + 5 * belt * belt)
        return radius + np.float32(self.ribs) * five * y * y

    def straighten(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Undo the flattening and the bend: unit directions (3, N), distances from the centre."""
        x, y, z = points
        y2 = y * y
        straight = np.empty_like(points)
        straight[0], straight[2] = x - self.bend[0] * y2, z - self.bend[1] * y2
        straight[1] = y * np.float32(1 / self.flatness)
        distance = np.sqrt(np.einsum("in,in->n", straight, straight)) + np.float32(1e-6)
        return straight / distance, distance

    def outside(self, points: np.ndarray) -> np.ndarray:
        """About how far (3, N) points lie outside the skin; negative within. (N,)"""
        unit, distance = self.straighten(points)
        return distance - self.radius(unit)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Outward unit normals at points of the skin, by differences. (3, N)"""
        corners = np.float32([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])[:, :, None]
        slope = sum(corner * self.outside(points + 2e-3 * corner) for corner in corners)
        return slope / np.linalg.norm(slope, axis=0)

    def openness(self, points: np.ndarray, direction: np.ndarray, reach: float) -> np.ndarray:
        """How free the way from the skin is in a direction, 0 blocked .. 1 open. (N,)"""
        steps = (0.06, 0.16, 0.36)
        gaps = [self.outside(points + step * direction) / step for step in steps]
        return _smooth(0.5 + reach * np.minimum.reduce(gaps))

    def trace(self, start: np.ndarray, sight: np.ndarray, tolerance: float) -> np.ndarray:
        """How far rays travel from `start` along `sight` to the skin, (N,); inf where they miss."""
        reached = np.full(start.shape[1], np.inf, np.float32)
        index, travel, stride, last = np.arange(len(reached)), 0 * start[0], 0 * start[0], np.inf
        while len(index):
            gap = self.outside(start + sight * travel)
            landed = gap < tolerance
            deep = np.minimum(gap, 0)
            reached[index[landed]] = (travel + stride * deep / (last - deep))[landed]  # secant
            stride = np.maximum(0.6 * gap, np.float32(0.01))  # no dawdling where it only grazes
            travel, last = travel + stride, gap
            going = ~landed & (travel < 2 * self.reach)
            index, travel, stride, last = index[going], travel[going], stride[going], last[going]
            start = start[:, going]
        return reached

    def specks(self, unit: np.ndarray) -> np.ndarray:
        """Strength of the lenticels, at most one to a cell of space. (N,)"""
        cells = unit * 22 + 32
        corner = cells.astype(np.int32)
        *centre, size, chance = self.cells[:, corner[0] % 32, corner[1] % 32, corner[2] % 32]
        distance = np.linalg.norm(cells - corner - 0.3 - 0.4 * np.stack(centre), axis=0)
        strength = _smooth((0.12 + 0.2 * size - distance) / 0.16)
        return strength * np.clip(self.variety.speckle - chance, 0, 0.3) / 0.3

    def skin(self, points: np.ndarray) -> np.ndarray:
        """Colour of the skin, linear light 0..1, (3, N)."""
        kind, (unit, _) = self.variety, self.straighten(points)
        height = unit[1]
        ring = np.sqrt(np.maximum(1 - height * height, 0)) + np.float32(0.15)
        streak = self.streaks(np.stack([unit[0] / ring, 0.15 * height, unit[2] / ring]))
        mottle, fine, stem = self.mottle(unit), self.fine(unit), np.exp((height - 1) / 0.06)
        sunny = self.sun @ unit + self.coverage + 0.2 * mottle + kind.streaks * streak
        blush = _smooth(sunny / 1.3 + 0.5) * (1 - 0.5 * stem)
        colour = _mix(_rgb(kind.ground), _rgb(kind.blush), blush)
        colour *= 1 + 0.05 * height + 0.04 * mottle + 0.2 * kind.streaks * blush * streak
        colour = _mix(colour, _rgb(kind.specks), 0.7 * self.specks(unit))
        russet = _smooth(0.3 * fine + 0.4 * mottle + 2.2 * stem - 1.2)
        return _linear(_mix(colour, _rgb(RUSSET), kind.russet * russet) * self.tint)


def _rgb(colour: str) -> np.ndarray:
    """ "#rrggbb" -> (3, 1) 0..255"""
    return np.float32([*bytes.fromhex(colour[1:])])[:, None]


def _mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    return first + (second - first) * share


def _smooth(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, an S between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _linear(colour: np.ndarray) -> np.ndarray:
    """sRGB 0..255 -> linear light 0..1, by the 2.2 curve that `render` undoes."""
    return (np.clip(colour, 0, 255) / np.float32(255)) ** np.float32(2.2)


def rotation(x: float, y: float) -> np.ndarray:
    """Rotation by x radians about the x axis or by y about the y axis, (3, 3) float32."""
    return np.float32(cv2.Rodrigues(np.float64([x, y, 0]))[0])


def rotate(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.einsum("ij,jn->in", matrix, points)  # not BLAS, whose bytes depend on its threads


def shade(albedo, normal, shadow, ambient, shape: Shape) -> np.ndarray:
    """Light that leaves a surface towards the camera, linear, (3, N)."""
    facing, wrap = np.clip(normal[2], 0, 1), shape.translucency
    key = np.clip((KEY_LIGHT @ normal + wrap) / (1 + wrap), 0, 1) * shadow
    scattered = albedo ** (1 + 1.5 * wrap * (1 - key))  # light scattered into the shade is warmer
    diffuse = scattered * (1.08 * key + (0.19 + 0.07 * normal[1]) * ambient)

    mirror = 2 * facing * normal - np.float32([[0], [0], [1]])
    towards = np.clip(KEY_LIGHT @ mirror, 0, 1)
    lamp = np.minimum(1.5 * towards ** (14 + 110 * shape.sharpness), 1)
    lamp = (0.1 + 0.5 * shape.sharpness) * lamp + 0.02 * towards**6
    room = (0.02 + 0.4 * (1 - facing) ** 5) * (0.18 + 0.18 * mirror[1])
    return diffuse + shape.gloss * (lamp * shadow + room * ambient)


def draw_stem(fruit: Fruit, rotation, x, y, depth, light) -> None:
    """Paint the stem, a chain of cylinders with a ball at its tip, wherever it is in front."""
    shape, line = fruit.variety.shape, rotate(rotation, fruit.stem[:, [*range(25), 24]])
    along = np.linspace(0, 1, 25, dtype=np.float32)
    flare = 1 + 0.6 * (1 - along) ** 4 + 0.35 * _smooth(along * 4 - 3)
    radii = shape.stem[1] * flare
    for start, end, radius, place in zip(line.T[:-1], line.T[1:], radii, along, strict=True):
        length = np.linalg.norm(end - start)
        axis = (end - start) / (length + np.float32(1e-9))
        low, high = np.minimum(start, end) - radius, np.maximum(start, end) + radius
        near = np.flatnonzero((x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1]))
        across, up = x[near] - start[0], y[near] - start[1]
        lead = across * axis[0] + up * axis[1]
        slant = 1 - axis[2] ** 2 + np.float32(1e-6)
        root = (axis[2] * lead) ** 2 - slant * (across**2 + up**2 - lead**2 - radius**2)
        z = (axis[2] * lead + np.sqrt(np.maximum(root, 0))) / slant
        travel = lead + axis[2] * z
        seen = (root > 0) & (np.abs(travel - length / 2) < length / 2 + 0.4 * radius)
        seen &= start[2] + z > depth[near]
        normal = (np.stack([across, up, z]) - axis[:, None] * travel)[:, seen] / radius
        albedo = _linear(_mix(*map(_rgb, shape.stem_colours), place))
        light[:, near[seen]] = shade(albedo, normal, 1, 1, shape)
        depth[near[seen]] = (start[2] + z)[seen]


def draw(
    fruit: Fruit, rotation: np.ndarray, x, y, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Light at the points (x, y) of the picture plane, each (N,): linear 0..1, (3, N), white where
    the fruit is not; and whether it is there, (N,) bool."""
    light, depth = np.ones((3, len(x)), np.float32), np.full(len(x), -np.inf, np.float32)
    front = np.sqrt(np.maximum(fruit.reach**2 - x * x - y * y, 0))
    index = np.flatnonzero(front)
    start = rotate(rotation.T, np.stack([x, y, front])[:, index])
    travel = fruit.trace(start, -rotation[2, :, None], tolerance)
    hit, travel = index[travel < np.inf], travel[travel < np.inf]
    depth[hit] = front[hit] - travel
    points = rotate(rotation.T, np.stack([x[hit], y[hit], depth[hit]]))
    normal = fruit.normals(points)
    shadow = fruit.openness(points, rotate(rotation.T, KEY_LIGHT[:, None]), 2.0)
    ambient = fruit.openness(points, normal, 0.6)
    normal, albedo = rotate(rotation, normal), fruit.skin(points)
    light[:, hit] = shade(albedo, normal, shadow, ambient, fruit.variety.shape)
    draw_stem(fruit, rotation, x, y, depth, light)
    return np.clip(light, 0, 1), depth > -np.inf
