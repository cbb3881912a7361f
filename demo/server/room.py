"""Whether the disk has room for photos."""

import shutil

from demo.server.internals import upload_folder

NO_ROOM = "There is no room for photos at the moment; please come back later."
# Free disk space that photos must leave, in bytes.
SPARE_BYTES = 2**30


def has_room() -> bool:
    """Whether there is space for another photo."""
    folder = upload_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)  # systems delete folders that are long unused
        return shutil.disk_usage(folder).free >= SPARE_BYTES
    except OSError:
        return False
