"""Draws the pictures of a study and makes what raters see of them.

A rater must not be able to tell a control from a generated picture by anything but its colours:
both go through the same `recolor` on the same luminance, have the same size and mode, carry no
metadata, and are PNGs without compression, so that even their file sizes are equal. The same holds
for the attention check, a picture painted blue.
"""

import hashlib
import io
import math
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from model.color import rgb_to_lab
from model.colorizer.upsampling import recolor
from model.data import fruits360, rendered
from model.metrics import fruit_mask, is_in_color
from model.photos import SUFFIXES, read_photo, shrunk
from study.db.tables import Stimulus
from study.errors import StudyError
from study.plan import design
from study.plan.arms import CONTROL
from study.plan.config import StudyConfig

# Side of a rendered picture, and the most that a photo's longer side may have, in pixels.
SIDE = 256
SKY_BLUE = (0, 150, 255)
# Name of the arm that the attention check is in.
ATTENTION = "sky blue"


@dataclass(frozen=True)
class Photo:
    """A picture in its true colours, (H, W, 3) uint8 RGB.

    `name` says where it is from and is never told to raters.
    """

    name: str
    kind: str
    rgb: np.ndarray


@dataclass(frozen=True)
class Candidate:
    """A picture that may be drawn, not loaded yet, at its full size."""

    name: str
    load: Callable[[], np.ndarray]


# The candidates of each kind, in the order in which they are drawn.
Pool = dict[str, list[Candidate]]
# Gives a photo the colours of an arm, (H, W, 3) uint8 RGB.
Colored = Callable[[Photo], np.ndarray]


def rendered_pool(count: int, rng: np.random.Generator) -> Pool:
    """`count` pictures of each kind, drawn by the program, its varieties in turn."""
    pool: Pool = {}
    for kind in design.KINDS:
        of_kind = [name for name in rendered.VARIETIES if fruits360.kind_of(name) == kind]
        varieties = design.order(of_kind, rng)
        pool[kind] = [_rendered(varieties[index % len(varieties)], rng) for index in range(count)]
    return pool


def _rendered(variety: str, rng: np.random.Generator) -> Candidate:
    frame, seed = int(rng.integers(rendered.FRAMES)), int(rng.integers(2**31))
    return Candidate(
        f"{variety} seed {seed} frame {frame}",
        lambda: rendered.render(variety, frame=frame, seed=seed, size=SIDE),
    )


def fruits360_pool(root: Path, rng: np.random.Generator) -> Pool:
    """The pictures of the Test split in random order, its varieties in turn."""
    pool: Pool = {}
    files = fruits360.split_files(root, "test")
    for kind in design.KINDS:
        of_kind = [f for f in files if fruits360.kind_of(f.parent.name) == kind]
        seen: dict[str, int] = {}  # pictures of each variety before this one
        by_turns = []
        for file in design.order(of_kind, rng):
            turn = seen[file.parent.name] = seen.get(file.parent.name, 0) + 1
            by_turns.append((turn, file))
        by_turns.sort(key=lambda pair: pair[0])
        pool[kind] = [_photo(f"Test/{f.parent.name}/{f.name}", f) for _, f in by_turns]
    return pool


def folder_pool(folder: Path, rng: np.random.Generator) -> Pool:
    """The photos of a folder in random order; a kind is a folder in it, "" the folder itself.

    Raises:
        StudyError: it holds no photo.
    """
    pool: Pool = {}
    for file in photos_in(folder):
        place = file.relative_to(folder)
        kind = place.parts[0] if len(place.parts) > 1 else ""
        pool.setdefault(kind, []).append(_photo(place.as_posix(), file))
    if not pool:
        raise StudyError(f"The folder {folder} holds no photo.")
    return {kind: design.order(photos, rng) for kind, photos in pool.items()}


def photos_in(folder: Path) -> Iterator[Path]:
    """The files of photos in a folder and the folders in it, by name, without hidden ones."""
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix.lower() in SUFFIXES and file.is_file() and not hidden:
            yield file


def _photo(name: str, file: Path) -> Candidate:
    return Candidate(name, lambda: read_photo(file))


def draw(pool: Pool, main: int, extra: int, rng: np.random.Generator) -> tuple[list[Photo], ...]:
    """`main` photos sorted by kind and `extra` others in random order, both spread over the kinds.

    Raises:
        StudyError: too few of a kind, or a photo without colours.
        PhotoError: a photo cannot be read.
    """
    wanted = design.kinds_of_pairs(main, rng, sorted(pool))
    also = design.kinds_of_pairs(extra, rng, sorted(pool))
    most = math.ceil(main / len(pool)) + math.ceil(
        extra / len(pool)
    )  # needed of a kind, whatever the seed
    chosen: list[Photo] = []
    others: list[Photo] = []
    for kind in sorted(pool):
        first, count = wanted.count(kind), wanted.count(kind) + also.count(kind)
        if len(pool[kind]) < count:
            of, each = (f" of {kind}" if kind else ""), " of each kind" if len(pool) > 1 else ""
            raise StudyError(
                f"Too few pictures{of}: there are {len(pool[kind])}, and {most}{each} are needed"
                " for the pairs, the practice and the attention check."
            )
        photos = [_load(candidate, kind) for candidate in pool[kind][:count]]
        chosen += photos[:first]
        others += photos[first:]
    return chosen, design.order(others, rng)


def _load(candidate: Candidate, kind: str) -> Photo:
    photo = Photo(candidate.name, kind, shrunk(candidate.load(), SIDE))
    if not is_in_color(photo.rgb):
        raise StudyError(f"{photo.name} shows no colours, and a control needs its true ones.")
    return photo


def make(
    config: StudyConfig,
    photos: list[Photo],
    extra: list[Photo],
    colored: Mapping[str, Colored],
) -> Iterator[Stimulus]:
    """Every picture of the study in every arm that a rater may see it in.

    Args:
        config: the study.
        photos: `config.pairs` of them, sorted by kind.
        extra: one for each practice pair, and one more for the attention check if there is one.
        colored: by the names of the arms.
    """
    fakes = config.task.beside == "control"
    dealt = design.lists(len(photos), config.shown_arms, config.mode)
    for index, photo in enumerate(photos):
        if fakes:
            yield _stimulus(photo, CONTROL, colored)
        for name, arms in dealt.items():
            yield _stimulus(photo, arms[index], colored, list_name=name)
    models = list(colored)
    for index, photo in enumerate(extra[: config.practice]):
        model = models[(index if fakes else index // 2) % len(models)]
        for arm in (CONTROL, model) if fakes else ((CONTROL, model)[index % 2],):
            yield _stimulus(photo, arm, colored, purpose="practice")
    for photo in extra[config.practice :]:
        for arm in (CONTROL, ATTENTION) if fakes else (ATTENTION,):
            yield _stimulus(photo, arm, colored, purpose="attention")


def _stimulus(
    photo: Photo,
    arm: str,
    colored: Mapping[str, Colored],
    *,
    purpose: str = "main",
    list_name: str | None = None,
) -> Stimulus:
    if arm == CONTROL:
        rgb = recolor(photo.rgb, rgb_to_lab(photo.rgb)[..., 1:])
    elif purpose == "attention":
        rgb = _painted_blue(photo.rgb)
    else:
        rgb = colored[arm](photo)
    gray, color = _png(recolor(photo.rgb, None)), _png(rgb)
    return Stimulus(
        token=secrets.token_urlsafe(16),
        purpose=purpose,
        list_name=list_name,
        picture=photo.name,
        kind=photo.kind,
        condition=CONTROL if arm == CONTROL else "generated",
        arm=arm,
        gray_png=gray,
        color_png=color,
        gray_sha256=hashlib.sha256(gray).hexdigest(),
        color_sha256=hashlib.sha256(color).hexdigest(),
    )


def _painted_blue(rgb: np.ndarray) -> np.ndarray:
    """The photo with blue fruit."""
    blue = rgb_to_lab(np.uint8([[SKY_BLUE]]))[0, 0, 1:]
    return recolor(rgb, np.where(fruit_mask(rgb)[..., None], blue, rgb_to_lab(rgb)[..., 1:]))


def _png(rgb: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG", compress_level=0)
    return buffer.getvalue()
