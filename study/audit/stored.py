"""The part of the audit that looks at the frozen pictures."""

import hashlib
import io
import json
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from PIL import Image
from scipy import stats

from model.color import rgb_to_lab_exact
from study.db.engine import reading
from study.db.queries import find_study
from study.db.tables import Stimulus, Study
from study.plan.config import StudyConfig
from study.prepare.manifest import digest
from study.wording import count, listed, p_value

# Largest difference of L, from 0 to 100, between the versions of a picture.
L_LIMIT = 1.0
# Random bits that a token has at least.
TOKEN_BITS = 128
# p value of a rank test from which on it finds a difference; the tests of the page divide it.
SUSPICIOUS = 0.001
# Chunks of a PNG without metadata.
PNG_CHUNKS = {"IHDR", "IDAT", "IEND"}


@dataclass(frozen=True)
class Finding:
    """The outcome of a check: what should hold, whether it does, and the figure that shows it."""

    what: str
    passed: bool
    figure: str


@dataclass(frozen=True)
class Picture:
    """A stimulus as it lies in the database."""

    token: str
    name: str
    purpose: str
    list_name: str | None
    condition: str
    arm: str
    gray_png: bytes
    color_png: bytes


def audit_study(pictures: Sequence[Picture], study: Study) -> list[Finding]:
    """What can be told from the frozen study alone."""
    names = {picture.name for picture in pictures}
    main = [picture for picture in pictures if picture.purpose == "main"]
    own = StudyConfig.frozen(study.config).own_luminance
    findings = [_manifest(study, pictures), *_pixels(pictures, own), _encoding(pictures)]
    sizes = {condition: [] for condition in ("control", "generated")}
    for picture in pictures:
        sizes[picture.condition].append(len(picture.color_png))
    findings.append(_separates("file sizes do not tell the condition", sizes))
    tokens = defaultdict(list)
    for picture in pictures:
        tokens[picture.condition].append(int.from_bytes(picture.token.encode()[:8]))
    what = "the order of the tokens does not tell it"
    findings.append(_separates(what, tokens, random=True))
    distinct = {picture.token for picture in pictures}
    bits = min(6 * len(token) for token in distinct)  # base64: 6 bits a character
    named = any(name in token for name in names for token in distinct)
    findings.append(
        Finding(
            f"tokens are random, {TOKEN_BITS} bits or more, each once",
            bits >= TOKEN_BITS and len(distinct) == len(pictures) and not named,
            f"{len(distinct)} tokens of {bits} bits",
        )
    )
    return [*findings, _balance(main)]


def _manifest(study: Study, pictures: Sequence[Picture]) -> Finding:
    frozen = json.dumps(study.manifest)
    missing = sum(
        hashlib.sha256(png).hexdigest() not in frozen
        for picture in pictures
        for png in (picture.gray_png, picture.color_png)
    )
    whole = digest(study.manifest) == study.manifest_sha256
    return Finding(
        "every picture is the one in the manifest, and that is unchanged",
        whole and not missing,
        f"{2 * len(pictures) - missing} of {2 * len(pictures)} pictures,"
        f" manifest {study.manifest_sha256[:12]}{'' if whole else ' CHANGED'}",
    )


def _pixels(pictures: Sequence[Picture], own: Sequence[str]) -> Iterator[Finding]:
    """All versions of one picture have the same luminance and size, but for the luminance of arms
    that keep their `own`: it may tell them, and that is said."""
    sizes: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for picture in pictures:
        sizes[picture.name] |= {
            _decoded(png).shape for png in (picture.gray_png, picture.color_png)
        }
    uneven = {name for name, found in sizes.items() if len(found) > 1}
    even = [picture for picture in pictures if picture.name not in uneven]
    largest = _luminance_apart([picture for picture in even if picture.arm not in own])
    of_others = f" of the arms but {listed(own)}" if own else ""
    yield Finding(
        f"versions of a picture{of_others} have the same luminance, within {L_LIMIT:g} of 100",
        largest <= L_LIMIT,
        f"largest difference {largest:.2f} over {len(sizes)} pictures",
    )
    for arm in own:
        largest = _luminance_apart([picture for picture in even if picture.arm == arm])
        told = largest > L_LIMIT
        yield Finding(
            f"{arm}, which keeps its own luminance, has that of the gray version, within"
            f" {L_LIMIT:g} of 100",
            not told,
            f"largest difference {largest:.2f}{'; luminance may tell this arm' if told else ''}",
        )
    yield Finding(
        "versions of a picture have the same size",
        not uneven,
        f"{len(uneven)} of {len(sizes)} pictures differ",
    )


def _luminance_apart(pictures: Sequence[Picture]) -> float:
    """The largest difference of L between the versions, gray included, of one picture."""
    versions = defaultdict(list)
    for picture in pictures:
        versions[picture.name] += [picture.gray_png, picture.color_png]
    largest = 0.0
    for pngs in versions.values():
        lab = np.stack([rgb_to_lab_exact(_decoded(png)) for png in dict.fromkeys(pngs)])
        largest = max(largest, float(np.ptp(lab[..., 0], axis=0).max()))
    return largest


def _decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def _encoding(pictures: Sequence[Picture]) -> Finding:
    """Same encoder and settings, no metadata."""
    headers, chunks = set(), set()
    for picture in pictures:
        for png in (picture.gray_png, picture.color_png):
            found = list(_chunks(png))
            chunks |= {kind for kind, _ in found}
            compression = next(data for kind, data in found if kind == "IDAT")[:2]
            headers.add((found[0][1][8:], compression))  # depth, colour type, filter; zlib's level
    extra = sorted(chunks - PNG_CHUNKS)
    return Finding(
        "all pictures are encoded alike, without metadata",
        len(headers) == 1 and not extra,
        f"{count(len(headers), 'kind')} of PNG, metadata: {', '.join(extra) or 'none'}",
    )


def _chunks(png: bytes) -> Iterator[tuple[str, bytes]]:
    place = 8
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        yield kind.decode("latin-1"), png[place + 8 : place + 8 + length]
        place += 12 + length


def _separates(what: str, values: dict[str, list[float]], *, random: bool = False) -> Finding:
    """Whether the two conditions' `values` differ by a rank test (Mann & Whitney 1947).

    With few pictures that test cannot fail; so values that no random draw made must not keep the
    conditions wholly apart either.
    """
    control, generated = values["control"], values["generated"]
    if len(set(control) | set(generated)) == 1:
        return Finding(what, True, f"all {len(control) + len(generated)} are {control[0]:,.0f}")
    test = stats.mannwhitneyu(control, generated)
    area = test.statistic / (len(control) * len(generated))
    apart = area in (0, 1) and not random
    return Finding(
        what,
        test.pvalue > SUSPICIOUS and not apart,
        f"rank test {p_value(test.pvalue)}, AUC {area:.2f}{', wholly apart' if apart else ''}",
    )


def _balance(main: Sequence[Picture]) -> Finding:
    """Every list has each picture once and the arms equally often."""
    lists = defaultdict(list)
    for picture in main:
        if picture.list_name:
            lists[picture.list_name].append(picture)
    even = all(
        len({picture.name for picture in shown}) == len(shown)
        and len(set(np.unique([p.arm for p in shown], return_counts=True)[1].tolist())) == 1
        for shown in lists.values()
    )
    told = ", ".join(f"{name}: {len(shown)}" for name, shown in sorted(lists.items()))
    return Finding("each list has every arm equally often, each picture once", even, told)


def load(engine: sa.Engine, study_name: str | None) -> tuple[Study, list[Picture]]:
    """A study and all its pictures.

    Raises:
        StudyError: no such study, or the database cannot be read.
    """
    with reading(engine) as session:
        study = find_study(session, study_name)
        study.manifest  # noqa: B018  is deferred
        columns = (
            Stimulus.token,
            Stimulus.picture,
            Stimulus.purpose,
            Stimulus.list_name,
            Stimulus.condition,
            Stimulus.arm,
            Stimulus.gray_png,
            Stimulus.color_png,
        )
        rows = session.execute(sa.select(*columns).where(Stimulus.study_id == study.id))
        pictures = [Picture(*row) for row in rows]
        session.expunge(study)
        return study, pictures
