"""Malformed and hostile uploads, made from drawn fruit: none of them is kept in the repository.

    python -m tests.corpus    # posts them all to the page; writes results/reliability/corpus.json

Each has to give a picture or one sentence, within the limits in `tests.posting`. They are made one
by one, as they are asked for, so that not even a bomb takes much memory here.
"""

import functools
import io
import itertools
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from model.data.rendered import render
from tests.support.handmade import (
    LONG,
    SHORT,
    bmp_of_runs,
    deflated,
    gif_frame,
    gif_of_huge_frames,
    jpeg_of_scans,
    png,
    png_header,
    png_of_zeros,
    tiff,
    tiff_of_shared_tags,
    tiff_tags,
    webp_of_one_color,
)

SIDE = 48  # pixels of the fruit
FORMATS: dict[str, dict] = {  # by file name, how Pillow writes them
    "fruit.jpg": {},
    "progressive.jpg": {"progressive": True, "subsampling": 0},
    "fruit.png": {},
    "fruit.webp": {},
    "lossless.webp": {"lossless": True},
    "fruit.tif": {},
    "deflate.tif": {"compression": "tiff_deflate"},
    "fruit.gif": {},
    "fruit.bmp": {},
}
ENDINGS = ("jpg", "png", "webp", "tif", "gif", "bmp")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

Files = Iterator[tuple[str, bytes]]  # name and content


@dataclass(frozen=True)
class Upload:
    """A file as a stranger sends it: the name is theirs too."""

    kind: str
    name: str
    content: bytes


@functools.cache
def fruit(mode: str = "RGB", seed: int = 0) -> Image.Image:
    return Image.fromarray(render("Apple Rendered Red", seed=seed, size=SIDE)).convert(mode)


def saved(image: Image.Image, name: str, **options) -> bytes:
    """`image` in the format that the ending of `name` stands for."""
    file = io.BytesIO()
    image.save(file, Image.registered_extensions()[Path(name).suffix], **options)
    return file.getvalue()


@functools.cache
def whole() -> dict[str, bytes]:
    """A good file of each format, by name."""
    return {name: saved(fruit(), name, **options) for name, options in FORMATS.items()}


def truncated(rng: np.random.Generator) -> Files:
    """Every format cut at every tenth of its length, and a tiny file at every tenth byte."""
    for name, content in whole().items():
        for tenth in range(1, 10):
            yield f"cut-{tenth}-{name}", content[: len(content) * tenth // 10]
    for name in ("dot.png", "dot.gif"):
        content = saved(Image.new("RGB", (1, 1)), name)
        for length in range(10, len(content), 10):
            yield f"cut-at-{length}-{name}", content[:length]


def bit_flips(rng: np.random.Generator) -> Files:
    """1, 2, 4 .. 512 bits turned over, most of them in the header in every second file."""
    for name, content in whole().items():
        for power in range(10):
            flipped = bytearray(content)
            reach = min(len(content), 100) if power % 2 else len(content)
            for place in rng.integers(0, reach, 2**power):
                flipped[place] ^= 1 << int(rng.integers(8))
            yield f"flipped-{2**power}-{name}", bytes(flipped)


def wrong_endings(rng: np.random.Generator) -> Files:
    for name, content in whole().items():
        for ending in ENDINGS:
            if not name.endswith(ending):
                yield f"{Path(name).stem}.{ending}", content
    yield "no-ending", whole()["fruit.png"]
    yield "program.jpg.exe", whole()["fruit.jpg"]


def bombs_over_the_limit(rng: np.random.Generator) -> Files:
    """Small files of far more pixels than anybody's photo."""
    side = 7_200
    yield "over.png", png_of_zeros(side, side, bits=8)
    yield "over.jpg", saved(Image.new("L", (side, side), 120), "over.jpg")
    yield "over.gif", saved(Image.new("L", (side, side), 120), "over.gif")
    yield "over.webp", webp_of_one_color(_dot_webp(), 16_383, 16_383)
    strip = deflated(side * side)
    yield "over.tif", tiff(tiff_tags(side, side, len(strip), compression=(SHORT, [8])), strip)
    yield "far-over.png", png_of_zeros(60_000, 60_000, bits=1)
    fax = b"\xff" * (30_000 // 8)  # one bit says that a line is as the one above: white
    group4 = {"bits": (SHORT, [1]), "compression": (SHORT, [4]), "photometric": (SHORT, [0])}
    yield "far-over.tif", tiff(tiff_tags(30_000, 30_000, len(fax), **group4), fax)
    yield "line-ends.bmp", bmp_of_runs(7_200, 7_200, b"\1\7\0\0" * 7_200 + b"\0\1")


def bombs_within_the_limit(rng: np.random.Generator) -> Files:
    """Small files of almost 50 megapixels, in the modes that take most memory."""
    side = 7_070
    yield "within.png", png_of_zeros(10_000, 5_000, bits=1)
    yield "within-16-bit.png", png_of_zeros(side, side, bits=16)
    yield "within-transparent.png", png_of_zeros(side, side, bits=8, color=6)
    yield "within.webp", webp_of_one_color(_dot_webp(), side, side)
    yield "within.gif", saved(Image.new("L", (side, side), 120), "within.gif")
    yield "within.jpg", saved(Image.new("L", (side, side), 120), "within.jpg")
    yield "within.bmp", bmp_of_runs(side, side, b"\1\7\0\0" * side + b"\0\1")
    strip = deflated(4 * side * side, 20)
    inks = {"bits": (SHORT, [8] * 4), "samples": (SHORT, [4]), "photometric": (SHORT, [5])}
    inks |= {"compression": (SHORT, [8]), "profile": (1, list(SRGB))}
    yield "within-cmyk.tif", tiff(tiff_tags(side, side, len(strip), **inks), strip)
    floats = {"bits": (SHORT, [32]), "sample_format": (SHORT, [3]), "compression": (SHORT, [8])}
    yield "within-float.tif", tiff(tiff_tags(side, side, len(strip), **floats), strip)


def other_bombs(rng: np.random.Generator) -> Files:
    """Small pictures with something else in them that takes much memory or time."""
    large = deflated(200 * 2**20)
    header, pixels, end = (
        png_header(4, 4),
        (b"IDAT", zlib.compress(bytes(4 * 5))),
        (b"IEND", b""),
    )
    yield "text.png", png(header, (b"zTXt", b"a\0\0" + large), pixels, end)
    yield "text-after.png", png(header, pixels, (b"zTXt", b"a\0\0" + large), end)
    yield "international.png", png(header, (b"iTXt", b"a\0\1\0\0\0" + large), pixels, end)
    yield "profile.png", png(header, (b"iCCP", b"a\0\0" + large), pixels, end)
    yield "pixels.png", png(header, (b"IDAT", large), end)
    yield "chunks.png", png(header, *[(b"tEXt", b"a\0b")] * 200_000, pixels, end)
    markers = whole()["fruit.jpg"]
    yield "markers.jpg", markers[:2] + b"\xff\xfe\0\2" * 1_000_000 + markers[2:]
    yield "200-scans.jpg", scans(200)
    yield "2000-scans.jpg", scans(2_000)
    yield "tags.tif", tiff_of_shared_tags(4, 4)
    strip = deflated(2**20)
    tile = {"compression": (SHORT, [8]), "tile_width": (LONG, [30_000])}
    tile |= {"tile_length": (LONG, [30_000]), "tile_offsets": (LONG, [8])}
    tile["tile_counts"] = (LONG, [len(strip)])
    yield "tile.tif", tiff(tiff_tags(64, 64, len(strip), **tile), strip)


def scans(number: int) -> bytes:
    """A JPEG that keeps its decoder busy, over all of 49 megapixels with each scan."""
    small = saved(Image.new("L", (16, 16), 90), "small.jpg", progressive=True)
    return jpeg_of_scans(small, 7_000, 7_000, number)


def _dot_webp() -> bytes:
    return saved(Image.new("RGB", (16, 16)), "dot.webp", lossless=True)


def huge_sizes(rng: np.random.Generator) -> Files:
    """Headers that promise far more than the file holds."""
    files = whole()
    frame = files["fruit.jpg"].index(b"\xff\xc0") + 5
    places = {  # where height and width, or width and height, are written, and how
        "fruit.jpg": (frame, ">HH", [(65_500, 65_500), (7_000, 7_000), (0, 0)]),
        "fruit.gif": (6, "<HH", [(65_535, 65_535), (7_000, 7_000), (0, 0)]),
        "fruit.bmp": (18, "<ii", [(2**31 - 1, 2**31 - 1), (7_000, 7_000), (0, 0), (-48, -48)]),
        "lossless.webp": (21, "<I", [(0x0FFFFFFF,), (0x06D5DB57,)]),
    }
    for name, (place, layout, sizes) in places.items():
        for number, size in enumerate(sizes):
            content = bytearray(files[name])
            struct.pack_into(layout, content, place, *size)
            yield f"huge-{number}-{name}", bytes(content)
    for name, content in gif_of_huge_frames(files["fruit.gif"]):
        yield f"huge-{name}", content
    for width, height in ((2**31 - 1, 2**31 - 1), (1, 2**31 - 1), (7_000, 7_000), (0, 9)):
        yield f"huge-{width}-{height}.png", png(png_header(width, height), (b"IDAT", b""))
        yield f"huge-{width}-{height}.tif", tiff(tiff_tags(width, height, 4), bytes(4))
    deep = (b"IDAT", zlib.compress(bytes(99)))
    yield "huge-depth.png", png(png_header(7_000, 7_000, 16, 6), deep)
    canvas = saved(fruit("RGBA"), "a.webp", exif=b"Exif\0\0II*\0\0\0\0\0")
    for size in (2**24 - 1, 16_383, 7_000):
        both = struct.pack("<I", size - 1)[:3] * 2
        yield f"huge-canvas-{size}.webp", canvas[:24] + both + canvas[30:]


def narrow(rng: np.random.Generator) -> Files:
    """1 x 1, 1 x N and N x 1."""
    for ending, size in itertools.product(ENDINGS, [(1, 1), (1, 7), (16_000, 1), (1, 16_000)]):
        yield f"{size[0]}x{size[1]}.{ending}", saved(Image.new("RGB", size, "red"), f"a.{ending}")
    for width, height in [(1_000_000, 1), (1, 1_000_000), (50_000_000, 1), (1, 50_000_000)]:
        yield f"{width}x{height}.png", png_of_zeros(width, height, bits=1)


def deep(rng: np.random.Generator) -> Files:
    """16 and 32 bits, floats of every kind, many pages."""
    grey = np.asarray(fruit("L"))
    for name, values in {
        "16-bit": grey.astype(np.uint16) * 257,
        "16-bit-dark": grey.astype(np.uint16) // 9,
        "32-bit": grey.astype(np.int32) * 70_000,
        "32-bit-negative": -grey.astype(np.int32),
        "32-bit-least": np.full_like(grey, -(2**31), np.int32),
        "float": grey / np.float32(255),
        "float-negative": -grey.astype(np.float32),
        "float-huge": grey.astype(np.float32) * np.float32(1e36),
        "float-tiny": grey.astype(np.float32) * np.float32(1e-44),
        "float-zero": np.zeros_like(grey, np.float32),
        "float-one-nan": np.where(np.arange(SIDE) == 3, np.nan, grey).astype(np.float32),
        "float-nan": np.full_like(grey, np.nan, np.float32),
        "float-infinite": np.where(np.arange(SIDE) == 3, -np.inf, grey).astype(np.float32),
    }.items():
        yield f"{name}.tif", saved(Image.fromarray(values), "a.tif")
    yield "16-bit.png", saved(Image.fromarray(grey.astype(np.uint16) * 257), "a.png")
    for bits, kind in itertools.product((2, 4, 12, 16, 24, 32, 64), (1, 2, 3, 4, 9)):
        pixels = rng.bytes(SIDE * SIDE * bits // 8)
        more = {"bits": (SHORT, [bits]), "sample_format": (SHORT, [kind])}
        tags = tiff_tags(SIDE, SIDE, len(pixels), **more)
        yield f"{bits}-bits-of-kind-{kind}.tif", tiff(tags, pixels)
    for samples, bits in itertools.product((2, 3, 4, 5, 9), (8, 16, 32)):
        pixels = rng.bytes(SIDE * SIDE * samples * bits // 8)
        more = {"bits": (SHORT, [bits] * samples), "samples": (SHORT, [samples])}
        more["photometric"] = (SHORT, [2 if samples > 2 else 1])
        tags = tiff_tags(SIDE, SIDE, len(pixels), **more)
        yield f"{samples}-samples-of-{bits}.tif", tiff(tags, pixels)
    pages = [fruit("L"), fruit("1"), fruit("CMYK"), fruit().resize((9, 300))]
    yield "pages.tif", saved(fruit(), "a.tif", save_all=True, append_images=pages)
    pages = [Image.new("1", (8, 8))] * 299
    yield "300-pages.tif", saved(fruit(), "a.tif", save_all=True, append_images=pages)
    first = saved(fruit(), "a.tif")
    (directory,) = struct.unpack_from("<I", first, 4)
    end = directory + 2 + 12 * struct.unpack_from("<H", first, directory)[0]
    yield "pages-in-a-ring.tif", first[:end] + first[4:8] + first[end + 4 :]


def inks(rng: np.random.Generator) -> Files:
    """CMYK and others with profiles that are broken or made for something else."""
    swapped = SRGB[:16] + b"CMYK" + SRGB[20:]
    profiles = {"srgb": SRGB, "lab": LAB, "cut": SRGB[:200], "text": b"no profile at all"}
    profiles |= {"swapped": swapped, "zeros": bytes(2**16), "noise": SRGB[:128] + rng.bytes(500)}
    for mode, name in itertools.product(("CMYK", "RGB", "L"), ("print.jpg", "print.tif")):
        for label, profile in profiles.items():
            yield f"{mode}-{label}-{name}", saved(fruit(mode), name, icc_profile=profile)
    yield "lab.tif", saved(fruit().convert("LAB"), "a.tif")
    yield "video.tif", saved(fruit("YCbCr"), "a.tif")


def moving(rng: np.random.Generator) -> Files:
    """Animated, with frames of another size, many, or broken after the first."""
    frames = [fruit(seed=seed) for seed in range(3)]
    more = {"save_all": True, "append_images": frames[1:]}
    for name in ("moving.gif", "moving.webp", "moving.png"):
        content = saved(frames[0], name, duration=40, **more)
        yield name, content
        yield f"cut-{name}", content[: len(content) * 2 // 3]
    for disposal in (2, 3):
        yield f"disposal-{disposal}.gif", saved(frames[0], "a.gif", disposal=disposal, **more)
    dots = [Image.new("P", (9, 9), number % 2) for number in range(500)]
    yield "500-frames.gif", saved(dots[0], "a.gif", save_all=True, append_images=dots[1:])
    still = whole()["fruit.gif"]
    place = gif_frame(still)
    far = struct.pack("<HHHH", 60_000, 60_000, SIDE, SIDE)
    yield "outside.gif", still[: place + 1] + far + still[place + 9 :]
    yield "two-in-one.mpo", saved(frames[0], "a.mpo", **more)


def turned(rng: np.random.Generator) -> Files:
    """EXIF with orientations that exist and that do not, and other nonsense in it."""
    names = ("fruit.jpg", "fruit.png", "fruit.webp")
    for name, orientation in itertools.product(names, (0, 1, 6, 8, 9, 65_535)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"turned-{orientation}-{name}", saved(fruit(), name, exif=exif)
    text = Image.Exif()
    text[0x010E] = "<script>alert(1)</script>" * 2_000
    for name in names:
        yield f"script-in-{name}", saved(fruit(), name, exif=text)
        yield f"nonsense-in-{name}", saved(fruit(), name, exif=b"Exif\0\0" + rng.bytes(300))


def no_pictures(rng: np.random.Generator) -> Files:
    """Other kinds of files, under their own names and as photos."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../apple.png", bytes(10**6))
    others = {
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "archive.zip": packed.getvalue(),
        "page.html": b"<!doctype html><script>alert(1)</script>",
        "laughs.xml": b'<!DOCTYPE a [<!ENTITY b "ha">]><a>&b;</a>',
        "paper.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\n",
        "figure.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
        "film.mp4": b"\0\0\0\x18ftypmp42" + bytes(99),
        "phone.heic": b"\0\0\0\x18ftypheic" + bytes(99),
        "layers.psd": b"8BPS\0\1" + bytes(99),
        "program.elf": b"\x7fELF" + bytes(99),
        "pickle.npy": b"\x93NUMPY\1\0" + bytes(99),
        "notes.txt": b"these are notes",
        "noise.bin": rng.bytes(5_000),
        "zeros.bin": bytes(5_000),
        "letters.bin": b"A" * 10**6,
    }
    for name, content in others.items():
        yield name, content
        yield f"{Path(name).stem}-as.jpg", content
    for name in ("empty.jpg", "empty.png", "empty.tif", "empty.gif", "empty.webp", "empty"):
        yield name, b""


def names(rng: np.random.Generator) -> Files:
    """Good and bad files under names that break out, break lines or break systems."""
    for name in (
        "../../../etc/passwd.png",
        "..\\..\\windows\\system32\\a.png",
        "%2e%2e%2f%2e%2e%2fa.png",
        "a\nb\tc\x1b[31m\x07.png",
        "nothing\x00.png",
        "l" * 300 + ".png",
        "\N{PEAR}" * 100 + ".png",
        "<img src=x onerror=alert(1)>.png",
        "a'b\"c`d$(id).png",
        "--help.png",
        "\u202egnp.elif.png",
        "con.png",
        "..",
        ".png",
        " .png",
        "a.png/",
        "{name!r}%s.png",
    ):
        yield name, whole()["fruit.png"]
        yield name, whole()["fruit.png"][:90]


CLASSES = {
    "truncated": truncated,
    "bit flips": bit_flips,
    "wrong ending": wrong_endings,
    "bombs over the limit": bombs_over_the_limit,
    "bombs within the limit": bombs_within_the_limit,
    "other bombs": other_bombs,
    "huge sizes": huge_sizes,
    "1 x N": narrow,
    "16-bit, float, pages": deep,
    "CMYK and profiles": inks,
    "animated": moving,
    "EXIF": turned,
    "no pictures": no_pictures,
    "names": names,
}


def corpus(kinds: Iterable[str] = tuple(CLASSES)) -> Iterator[Upload]:
    """All uploads of these classes, each made when it is asked for; always the same."""
    for kind in kinds:
        for name, content in CLASSES[kind](np.random.default_rng(0)):
            yield Upload(kind, name, content)


def arrays() -> Iterator[tuple[str, object]]:
    """What a program may hand over in the place of a photo, by name."""
    yield "NaN", np.full((9, 9), np.nan)
    yield "one NaN", np.where(np.eye(9), np.nan, 0.5)
    yield "infinite", np.full((9, 9, 3), np.inf, np.float32)
    yield "half, NaN", np.full((9, 9), np.nan, np.float16)
    yield "negative", np.full((9, 9), -1.0)
    yield "no pixel", np.zeros((0, 9, 3), np.uint8)
    yield "too many channels", np.zeros((9, 9, 7), np.uint8)
    yield "too many axes", np.zeros((1, 9, 9, 3), np.uint8)
    yield "complex", np.zeros((9, 9), complex)
    yield "texts", np.full((9, 9), "a")
    yield "objects", np.full((9, 9), None)
    yield "dates", np.zeros((9, 9), "datetime64[s]")
    yield "ragged", [[1, 2], [3]]
    yield "nothing", None
    yield "endless", np.broadcast_to(np.uint8(0), (10**6, 10**6, 3))
    yield "one pixel", np.zeros((1, 1), np.uint8)
    yield "backwards", np.asarray(fruit())[::-1, ::-1]


if __name__ == "__main__":
    from tests.support.posting import main

    sys.exit(main())
