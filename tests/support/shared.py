"""What all processes of a run share."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


def once(path: Path, make: Callable[[Path], None]) -> Path:
    """The file or folder at `path`, which the first process that needs it makes."""
    with FileLock(f"{path}.lock"):
        if not path.exists():
            make(path)
    return path


@contextmanager
def shared(file: Path, start: Callable[[], dict], stop: Callable[[dict], None]) -> Iterator[dict]:
    """What `start` tells of the thing that it starts, for the first process that needs it.

    `stop` ends the thing after the last one; `file` holds what was told meanwhile.
    """
    lock = FileLock(f"{file}.lock")
    with lock:
        told = json.loads(file.read_text()) if file.exists() else {"users": 0} | start()
        told["users"] += 1
        file.write_text(json.dumps(told))
    yield told
    with lock:
        told = json.loads(file.read_text())
        told["users"] -= 1
        file.write_text(json.dumps(told))
        if not told["users"]:
            file.unlink()
            stop(told)
