"""Makes the pictures of a study and freezes them, with their hashes, in the database.

A rater must not be able to tell a control from a generated picture by anything but its colours:
both go through the same `recolor` on the same luminance, have the same size and mode, carry no
metadata, and are PNGs without compression, so that even their file sizes are equal.
"""

import hashlib
import io
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from PIL import Image
from sqlalchemy import Engine

from model import fruits360, rendered
from model.color import rgb_to_lab
from model.colorizer import Colorizer, recolor
from model.photos import read_photo
from study import design
from study.store import Stimulus, Study, StudyError, writing

RENDERED_SIZE = 256  # pixels


@dataclass(frozen=True)
class Photo:
    """A picture in its true colours. `name` says where it is from and never reaches a rater."""

    name: str
    kind: str
    rgb: np.ndarray


def rendered_photos(pairs: int, rng: np.random.Generator) -> list[Photo]:
    """`pairs` pictures drawn by the program, spread over the kinds and varieties."""
    photos = []
    for index, kind in enumerate(design.kinds_of_pairs(pairs, rng)):
        varieties = [name for name in rendered.VARIETIES if fruits360.kind_of(name) == kind]
        variety = varieties[index % len(varieties)]
        frame, seed = int(rng.integers(rendered.FRAMES)), int(rng.integers(2**31))
        picture = rendered.render(variety, frame=frame, seed=seed, size=RENDERED_SIZE)
        photos.append(Photo(f"{variety} seed {seed} frame {frame}", kind, picture))
    return photos


def fruits360_photos(root: Path, pairs: int, rng: np.random.Generator) -> list[Photo]:
    """`pairs` pictures of the Test split, spread over the kinds, of as many varieties as possible.

    Raises:
        StudyError: too few pictures of a kind.
    """
    files = fruits360.split_files(root, "test")
    wanted = design.kinds_of_pairs(pairs, rng)
    photos = []
    for kind in design.KINDS:
        count = wanted.count(kind)
        of_kind = [f for f in files if fruits360.kind_of(f.parent.name) == kind]
        if len(of_kind) < count:
            raise StudyError(f"Test holds {len(of_kind)} pictures of {kind}; {count} are needed.")
        seen: dict[str, int] = {}  # pictures of each variety before this one, in random order
        by_turns = []
        for file in design.order(of_kind, rng):
            turn = seen[file.parent.name] = seen.get(file.parent.name, 0) + 1
            by_turns.append((turn, file))
        for _, file in sorted(by_turns, key=lambda pair: pair[0])[:count]:
            photos.append(Photo(f"Test/{file.parent.name}/{file.name}", kind, read_photo(file)))
    return photos


def freeze(
    engine: Engine,
    name: str,
    photos: list[Photo],
    colorizer: Colorizer,
    *,
    pictures_from: str,
    seed: int,
    step: float = 1,
) -> None:
    """Store a study of `photos` in both conditions; which is shown in which is drawn by `seed`.

    Raises:
        StudyError: the name is taken, or nothing could be saved.
    """
    rng = np.random.default_rng(seed)
    conditions = design.conditions_of_pairs(len(photos), rng)
    study = Study(
        name=name,
        pictures_from=pictures_from,
        step=step,
        seed=seed,
        weights=colorizer.name,
        weights_sha256=hashlib.sha256(colorizer.path.read_bytes()).hexdigest(),
    )
    for photo, shown in zip(photos, conditions, strict=True):
        gray = _png(recolor(photo.rgb, None))
        versions = {
            "control": _png(recolor(photo.rgb, rgb_to_lab(photo.rgb)[..., 1:])),
            "generated": _png(colorizer.colorize(photo.rgb)),
        }
        for condition, color in versions.items():
            stimulus = Stimulus(
                list_name=design.SHOWN_LIST if condition == shown else design.OTHER_LIST,
                picture=photo.name,
                kind=photo.kind,
                condition=condition,
                token=secrets.token_urlsafe(16),
                gray_png=gray,
                color_png=color,
                gray_sha256=hashlib.sha256(gray).hexdigest(),
                color_sha256=hashlib.sha256(color).hexdigest(),
            )
            study.stimuli.append(stimulus)
    with writing(engine) as session:
        if session.scalar(sa.select(Study.id).where(Study.name == name)):
            raise StudyError(f"There is a study {name!r} already, and it is frozen: take --name.")
        session.add(study)


def _png(rgb: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG", compress_level=0)
    return buffer.getvalue()
