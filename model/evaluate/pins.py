"""Measure how far pins reach, on scenes of which it is known what is where.

    python -m model.evaluate.pins --general DIR

A scene is a photo of DIR/val (without kodak, a standard test set) with an apple, a cherry and a
pear on it that the program draws. Each fruit gets a pin of a random hue, alone and with the others.
The share of the wanted change is, at each place, the change of ab that the pins bring about,
projected on the way from the automatic colour to the pin's colour, over the length of that way: 1
where the place has the pin's colour, 0 where it is as it was. Elsewhere counts how far ab changes
in any direction, over the way at the pin's place. Writes results/<weights>/pins.json, or pins.json
beside weights that are given as a file; `python -m model.evaluate.published` brings the figures
into the docs.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from tqdm import tqdm

from model.color import lab_to_rgb, rgb_to_lab
from model.colorizer.pins import Pin, ab_of
from model.colorizer.pipeline import Colorizer
from model.data.collections import PHOTO_SIDE, VARIABLES, load_general
from model.data.fruits360 import DataError
from model.data.rendered import FRAMES, VARIETIES, cut_out, to_light, to_rgb
from model.evaluate.figures import results_folder
from model.photos import shrunk
from model.weights import DEFAULT_WEIGHTS, WeightsError

SCENES = 120
# Longer side of a fruit, as a share of the scene's shorter side.
SIZES = (0.28, 0.45)
KINDS = ("Apple", "Cherry", "Pear")
# Chroma of the pins, and least way, in units of ab, from the automatic colour to that of a pin.
CHROMA, WAY = 50, 25
TRIES = 1000


@dataclass(frozen=True)
class Scene:
    """A picture with known objects.

    Attributes:
        rgb: (H, W, 3) uint8.
        coverage: (3, H, W) float32, the share of each pixel that each object covers.
        places: x and y of a place well inside each object.
    """

    rgb: np.ndarray
    coverage: np.ndarray
    places: list[tuple[int, int]]


def compose(photo: np.ndarray, rng: np.random.Generator) -> Scene | None:
    """A fruit of each kind on `photo`, (H, W, 3) uint8; None where they find no room."""
    rgb = shrunk(photo, PHOTO_SIDE)
    light, (height, width) = to_light(rgb), rgb.shape[:2]
    covered = np.zeros((len(KINDS), height, width), np.float32)
    for kind, mine in zip(KINDS, covered, strict=True):
        variety = rng.choice([name for name in VARIETIES if name.startswith(kind)])
        size = max(1, int(rng.uniform(*SIZES) * min(height, width)))
        frame, seed = int(rng.integers(FRAMES)), int(rng.integers(1000))
        fruit, coverage = cut_out(variety, frame=frame, seed=seed, size=size)
        for _ in range(TRIES):
            top, left = (int(rng.integers(side - size + 1)) for side in (height, width))
            here = np.s_[top : top + size, left : left + size]
            if not (covered.any(0)[here] & (coverage > 0)).any():
                break
        else:
            return None
        mine[here] = coverage
        behind = (1 - coverage[..., None]) * (1 - light[here])
        light[here] = np.clip(fruit - behind, 0, 1)
    return Scene(to_rgb(light), covered, [_inside(mine, rng) for mine in covered])


def _inside(coverage: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """x and y of a random place of the inner half of an object."""
    depth = cv2.distanceTransform(np.uint8(coverage > 0.5), cv2.DIST_L2, 5)
    y, x = rng.choice(np.argwhere(depth >= depth.max() / 2))
    return int(x), int(y)


def scenes(photos: Sequence[np.ndarray], count: int) -> Iterator[Scene]:
    """`count` scenes, or as many as the photos, (H, W, 3) uint8 RGB, give room for."""
    order = np.random.default_rng(0).permutation(len(photos))
    made = (compose(photos[number], np.random.default_rng(number)) for number in order)
    return islice(filter(None, made), count)


def pins_of(scene: Scene, automatic: np.ndarray, rng: np.random.Generator) -> list[Pin]:
    """A pin for each object, of a random hue far from its automatic colour."""
    luminance, pins = rgb_to_lab(scene.rgb)[..., 0], []
    for x, y in scene.places:
        for _ in range(TRIES):
            hue = rng.uniform(0, 2 * np.pi)
            ab = np.float32([[[CHROMA * np.cos(hue), CHROMA * np.sin(hue)]]])
            rgb = lab_to_rgb(luminance[y : y + 1, x : x + 1], ab)
            if np.linalg.norm(rgb_to_lab(rgb)[0, 0, 1:] - automatic[y, x]) > WAY:
                break
        pins.append(Pin(x, y, tuple(rgb[0, 0].tolist())))
    return pins


def share(ab: np.ndarray, automatic: np.ndarray, pin: Pin) -> np.ndarray:
    """The share of the wanted change, (H, W): see above. A way shorter than 10 counts as 10."""
    way = ab_of(pin) - automatic
    length = np.maximum(np.square(way).sum(-1), 100)
    return ((ab - automatic) * way).sum(-1) / length


def measure(colorizer: Colorizer, pictures: list[Scene]) -> dict:
    """Mean shares over all pins: on the object of a lone pin, the other objects and the background;
    and on each kind of object with a pin on each."""
    alone, together = [], []
    for number, scene in enumerate(tqdm(pictures, desc="pins", unit="scene", disable=None)):
        photo = colorizer.prepare(scene.rgb)
        automatic = _ab(colorizer, photo)
        pins = pins_of(scene, automatic, np.random.default_rng(number))
        objects, background = scene.coverage > 0.5, ~scene.coverage.any(0)
        for index, pin in enumerate(pins):
            ab = _ab(colorizer, photo, [pin])
            way = np.linalg.norm(ab_of(pin) - automatic[pin.y, pin.x])
            change = np.linalg.norm(ab - automatic, axis=-1) / way
            others = np.delete(objects, index, 0).any(0)
            on_object = share(ab, automatic, pin)[objects[index]].mean()
            alone.append((on_object, change[others].mean(), change[background].mean()))
        ab = _ab(colorizer, photo, pins)
        pairs = zip(pins, objects, strict=True)
        together.append([share(ab, automatic, pin)[mask].mean() for pin, mask in pairs])
    on_object, on_others, on_background = np.mean(alone, 0).tolist()
    return {
        "scenes": len(pictures),
        "one_pin": {"object": on_object, "others": on_others, "background": on_background},
        "three_pins": dict(zip(map(str.lower, KINDS), np.mean(together, 0).tolist(), strict=True)),
    }


def _ab(colorizer: Colorizer, photo, pins=()) -> np.ndarray:
    """Real a and b at the scene's size, (H, W, 2) float32."""
    height, width = photo.shape
    return cv2.resize(colorizer.predict_ab(photo, pins=pins), (width, height))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.evaluate.pins",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (%(default)s)")
    parser.add_argument("--general", help=f"ordinary photos (default: {VARIABLES['general']})")
    parser.add_argument(
        "--scenes", type=int, default=SCENES, help="how many at most (default: %(default)s)"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        colorizer = Colorizer.load(arguments.weights)
        if not colorizer.takes_pins:
            raise WeightsError(f"The weights {colorizer.name} take no pins.")
        photos = load_general(arguments.general, "val").rgb
        figures = measure(colorizer, list(scenes(photos, arguments.scenes)))
    except (WeightsError, DataError) as error:
        print(f"model.evaluate.pins: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    folder = results_folder(arguments.weights, colorizer)
    (folder / "pins.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
