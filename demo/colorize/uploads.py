"""Photos from strangers, each decoded in a process of its own, which a bad photo may end.

A few bytes can keep a decoder busy for minutes, take all memory or crash it, in more ways than
anybody can list. Therefore the operating system ends a decoding process at the limits below, and
the page goes on. On Linux the process is forked from a small one that waits, which takes
milliseconds.
"""

import json
import multiprocessing
import os
import resource
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from model.photos import PhotoError, read_photo, shown_name

# Processor time that decoding may take, in seconds.
CPU_SECONDS = 3
# Time that decoding may take by the clock, in seconds; a busy machine needs more than the above.
SECONDS = 30
# Memory that decoding may take, in bytes; 50 megapixels need 800 million in WebP, the worst format.
MEMORY = 850 * 2**20
# Number of photos decoded at the same time; others wait.
DECODED_AT_ONCE = 2
# Pixels sent between processes in one message, in bytes.
CHUNK = 2**20

Image.init()  # loads all decoders once; else each process would load them anew

# The same choice as Python's own: on other systems libraries may not survive a fork.
_processes = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
_processes.set_forkserver_preload([__name__])
_places = threading.BoundedSemaphore(DECODED_AT_ONCE)


def read_upload(path: Path) -> np.ndarray:
    """As `read_photo`, within `CPU_SECONDS`, `SECONDS` and, on Linux, `MEMORY`.

    Returns:
        (H, W, 3) uint8 sRGB.

    Raises:
        PhotoError: as from `read_photo`, or the decoder did not survive the file.
    """
    with _places:
        return _decoded(path)


def _decoded(path: Path) -> np.ndarray:
    receiver, sender = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_read, args=(path, sender), daemon=True)
    process.start()
    sender.close()  # the last sender, the other process's, then closes as that process ends
    refused = f"{shown_name(path)} takes too much time or memory to read, or is damaged."
    too_long = threading.Timer(SECONDS, process.kill)
    too_long.start()
    try:
        answer = json.loads(receiver.recv_bytes())
        if "shape" in answer:
            return _receive(receiver, answer["shape"])
        refused = answer["refused"]
    except (EOFError, OSError):  # the process has ended: by a limit, or by a fault of the decoder
        pass
    finally:
        too_long.cancel()
        receiver.close()
        process.kill()
        process.join()
    raise PhotoError(refused)


def _read(path: Path, sender: Connection) -> None:
    """Send the shape of the picture and then its pixels, or the sentence in its place. A decoder
    under a stranger's control could make Python objects run code; plain bytes cannot."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # else libraries write their warnings into the log
    _limit_this_process()
    try:
        rgb = read_photo(path)
    except PhotoError as error:
        sender.send_bytes(json.dumps({"refused": str(error)}).encode())
        return
    sender.send_bytes(json.dumps({"shape": rgb.shape}).encode())
    pixels = rgb.reshape(-1)
    for start in range(0, len(pixels), CHUNK):
        sender.send_bytes(pixels[start : start + CHUNK])


def _receive(receiver: Connection, shape: list[int]) -> np.ndarray:
    rgb = np.empty(shape, np.uint8)
    pixels = rgb.reshape(-1)
    for start in range(0, len(pixels), CHUNK):
        receiver.recv_bytes_into(pixels[start : start + CHUNK])
    return rgb


def _limit_this_process() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no dump behind
    used = Path("/proc/self/statm")
    if used.exists():  # on Linux, the only system that counts all memory of a process
        # memory that libraries reserve for each processor does not count as the picture's
        reserved = int(used.read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (reserved + MEMORY, reserved + MEMORY))
