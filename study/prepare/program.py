"""Pictures that another program colours, once each, while a study is prepared."""

import hashlib
import os
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from model.colorizer.upsampling import recolor
from model.photos import PhotoError, read_photo
from study.errors import StudyError
from study.plan.arms import Arm
from study.prepare.given import is_another, on_luminance
from study.prepare.stimuli import Photo
from study.wording import printable

# Longest time that a program may take for a picture, in seconds.
SECONDS = 300


class Program:
    """The program of an arm, run in the study file's folder `base`, without a shell."""

    def __init__(self, arm: Arm, base: Path) -> None:
        self.arm, self.base = arm, base
        self.sha256: dict[str, str] = {}  # of its files, by the names of the pictures

    def colored(self, photo: Photo) -> np.ndarray:
        """What raters see of its colours for `photo`, (H, W, 3) uint8 RGB of the photo's shape.

        The program is given the photo in grayscale, as raters see it.

        Raises:
            StudyError: it cannot be run, fails, takes too long, or its picture does not fit.
        """
        of = f"{photo.name} by the command of {self.arm.name}"
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder) / "input.png", Path(folder) / "output.png"
            Image.fromarray(recolor(photo.rgb, None)).save(given)
            self._run(given, made, of)
            if not made.is_file():
                raise StudyError(f"No picture of {of}: it wrote no {{output}}.")
            self.sha256[photo.name] = hashlib.sha256(made.read_bytes()).hexdigest()
            try:
                rgb = read_photo(made)
            except PhotoError as error:
                raise StudyError(f"No picture of {of}: {error}") from None
        if rgb.shape != photo.rgb.shape:
            sizes = [f"{shape[1]} x {shape[0]}" for shape in (rgb.shape, photo.rgb.shape)]
            raise StudyError(f"No picture of {of}: it is {sizes[0]}, not {sizes[1]}.")
        if is_another(rgb, photo.rgb):
            raise StudyError(f"No picture of {of}: its luminance is that of another picture.")
        return on_luminance(self.arm, rgb, photo)

    def told(self) -> dict:
        """For the manifest, as `study.prepare.given.Given.told` tells of a folder."""
        return {"pictures": dict(sorted(self.sha256.items())), "left_out": []}

    def _run(self, given: Path, made: Path, of: str) -> None:
        words = [
            word.replace("{input}", str(given)).replace("{output}", str(made))
            for word in shlex.split(self.arm.command)
        ]
        try:
            process = subprocess.Popen(  # noqa: S603 - the researcher's own command, no shell
                words,
                cwd=self.base,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that its own children end with it
            )
        except OSError as error:
            raise StudyError(f"No picture of {of}: {words[0]}: {error.strerror}.") from None
        with process:
            try:
                said = process.communicate(timeout=SECONDS)[1].decode(errors="replace")
            except BaseException as error:  # an interruption ends the program too
                os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                raise StudyError(f"No picture of {of}: it took over {SECONDS} s.") from None
        if process.returncode:
            last = printable((said.strip().splitlines() or ["it said nothing"])[-1], 200)
            code = process.returncode
            raise StudyError(f"No picture of {of}: it ended with {code} ({last}).")
