"""Picture files written by hand, byte by byte, for what no program would write."""

import struct
import zlib
from collections.abc import Iterator

BYTE, SHORT, LONG = 1, 3, 4  # types of TIFF tags
TAGS = {
    "width": 256,
    "height": 257,
    "bits": 258,
    "compression": 259,
    "photometric": 262,
    "offsets": 273,
    "samples": 277,
    "rows": 278,
    "counts": 279,
    "tile_width": 322,
    "tile_length": 323,
    "tile_offsets": 324,
    "tile_counts": 325,
    "sample_format": 339,
    "profile": 34_675,
}


def deflated(size: int, byte: int = 0) -> bytes:
    """`size` times this byte, compressed: never all of it in memory."""
    pack, piece = zlib.compressobj(9), bytes([byte]) * 2**20
    whole, rest = divmod(size, len(piece))
    pieces = [*(pack.compress(piece) for _ in range(whole)), pack.compress(piece[:rest])]
    return b"".join(pieces) + pack.flush()


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_header(width: int, height: int, bits: int = 8, color: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)


def png_of_zeros(width: int, height: int, *, bits: int, color: int = 0) -> bytes:
    """All black or transparent; `color` is PNG's colour type."""
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[color]
    pixels = deflated(height * (1 + (width * bits * samples + 7) // 8))
    return png(png_header(width, height, bits, color), (b"IDAT", pixels), (b"IEND", b""))


def webp_of_one_color(small: bytes, width: int, height: int) -> bytes:
    """`small`, a lossless WebP of one colour, at this size: only its first pixel takes bits."""
    content = bytearray(small)
    (rest,) = struct.unpack_from("<I", content, 21)
    struct.pack_into("<I", content, 21, rest >> 28 << 28 | (height - 1) << 14 | width - 1)
    return bytes(content)


def tiff(tags: dict[int, tuple[int, list]], pixels: bytes) -> bytes:
    """A TIFF of one page: `tags` are type and values by number; its pixels begin at byte 8."""
    formats = {BYTE: "B", SHORT: "H", LONG: "I"}
    entries, long_values = b"", b""
    after = 8 + len(pixels) + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{formats[kind]}", *values)
        entries += struct.pack("<HHI", tag, kind, len(values))
        if len(packed) > 4:
            entries += struct.pack("<I", after + len(long_values))
            long_values += packed
        else:
            entries += packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory + long_values


def tiff_tags(width: int, height: int, size: int, **more: tuple[int, list]) -> dict:
    """Tags of a grey TIFF whose one strip of `size` bytes begins at byte 8."""
    tags = {"width": (LONG, [width]), "height": (LONG, [height]), "bits": (SHORT, [8])}
    tags |= {"compression": (SHORT, [1]), "photometric": (SHORT, [1]), "samples": (SHORT, [1])}
    tags |= {"offsets": (LONG, [8]), "rows": (LONG, [height]), "counts": (LONG, [size])}
    return {TAGS[name]: value for name, value in (tags | more).items()}


def tiff_of_shared_tags(width: int, height: int) -> bytes:
    """20,000 tags of 1 MB each, all of them the same bytes of the file."""
    megabyte = 2**20
    whole = tiff(tiff_tags(width, height, width * height), bytes(width * height + megabyte))
    (directory,) = struct.unpack_from("<I", whole, 4)
    tags = whole[directory + 2 : -4]
    tags += b"".join(struct.pack("<HHII", tag, BYTE, megabyte, 8) for tag in range(40_000, 60_000))
    return whole[:directory] + struct.pack("<H", len(tags) // 12) + tags + bytes(4)


def bmp_of_runs(width: int, height: int, runs: bytes) -> bytes:
    """A BMP of 8 bits a pixel, compressed by run lengths."""
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256))
    start = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + palette + runs


def jpeg_of_scans(small: bytes, width: int, height: int, scans: int) -> bytes:
    """`small`, a progressive grey JPEG, at this size, with `scans` more over all its blocks."""
    start = small.index(b"\xff\xc2")  # the frame: marker, length, precision, height, width
    content = small[: start + 5] + struct.pack(">HH", height, width) + small[start + 9 :]
    scan = content.index(b"\xff\xda")
    # an AC scan of bits that say "nothing in the next blocks"
    table = b"\xff\xc4" + struct.pack(">HB", 2 + 17 + 1, 0x10) + bytes([1, *[0] * 15]) + b"\xe0"
    again = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 63, 0)
    runs = -(-width // 8) * -(-height // 8) // 2**14 + 1
    first = content.index(b"\xff", scan + 12)  # the end of the first scan, of DC
    return content[:first] + table + (again + bytes(2 * runs)) * scans + b"\xff\xd9"


def gif_frame(content: bytes) -> int:
    """Where the first frame of a GIF without extensions begins."""
    return content.index(b",", 13 + 3 * 2 ** ((content[10] & 7) + 1))


def gif_of_huge_frames(content: bytes) -> Iterator[tuple[str, bytes]]:
    """A small GIF on a huge screen, and with a huge frame, each to be disposed of in each way."""
    huge, start = struct.pack("<HH", 65_535, 65_535), gif_frame(content)
    for disposal in (0, 2, 3):
        control = b"!\xf9\4" + bytes([disposal << 2, 0, 0, 0, 0])
        screen = content[:6] + huge + content[10:start] + control + content[start:]
        place = start + len(control)
        yield f"screen-{disposal}.gif", screen
        yield f"frame-{disposal}.gif", screen[: place + 5] + huge + screen[place + 9 :]
