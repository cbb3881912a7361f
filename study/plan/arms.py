"""The arms of a study: what its pictures get their colours from."""

import json
import shlex
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

CONTROL = "control"  # The arm in true colours.


class Arm(BaseModel):
    """Where an arm's colours are from: one of weights, folder and command; none for the control.

    Attributes:
        name: what the report calls it.
        weights: a name of weights, or a .safetensors file.
        folder: pictures made elsewhere, each with the name of a picture of the study.
        command: a program that colours the file {input} and writes {output}, run once a picture.
        luminance: of pictures by other programs. "true": their a and b on the luminance of the
            study's picture; "own": just as they are, so that raters may tell them by more than
            their colours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    weights: str = ""
    folder: str = ""
    command: str = ""
    luminance: Literal["true", "own"] = "true"

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, given: object, info: ValidationInfo) -> object:
        """A text of a study file as a table, and a table with its name."""
        if isinstance(given, Arm):
            return given
        if isinstance(given, str):
            if given == CONTROL:
                return {"name": CONTROL}
            if info.context == "frozen":  # By a version that called every file by its stem.
                stem = Path(given).stem if given.endswith(".safetensors") else given
                return {"name": stem, "weights": given}
            is_folder = "/" in given and not given.endswith(".safetensors")
            given = {"folder": given} if is_folder else {"weights": given}
        if not isinstance(given, dict):
            raise ValueError(f"must be text in quotes, not {json.dumps(given)}")
        folder, weights = given.get("folder"), given.get("weights")
        if "name" in given:
            return given
        if isinstance(folder, str) and folder:
            return given | {"name": Path(folder).name}
        return given | {"name": weights_label(weights)} if isinstance(weights, str) else given

    @field_validator("name")
    @classmethod
    def _can_be_told(cls, name: str) -> str:
        if not (0 < len(name.strip()) <= 100 and name.isprintable()):
            raise ValueError("must be 1 to 100 printable characters")
        return name.strip()

    @field_validator("command")
    @classmethod
    def _can_be_run(cls, command: str) -> str:
        if command and not all(command.count(braces) == 1 for braces in ("{input}", "{output}")):
            raise ValueError("must have {input} and {output}, each once")
        try:
            shlex.split(command)
        except ValueError:
            raise ValueError("must close its quotation marks") from None
        return command

    @model_validator(mode="after")
    def _has_one_source(self) -> "Arm":
        sources = [source for source in (self.weights, self.folder, self.command) if source]
        if self.name == CONTROL and sources:
            raise ValueError(f'must have no weights, folder or command for "{CONTROL}"')
        if not self.name:
            raise ValueError("must have a name in each table")
        if self.name != CONTROL and len(sources) != 1:
            raise ValueError(f"must have one of weights, folder and command for {self.name!r}")
        if self.luminance == "own" and not self.made_elsewhere:
            raise ValueError(f'must not say luminance = "own" for {self.name!r}: it has none')
        return self

    @property
    def made_elsewhere(self) -> bool:
        """Whether another program makes its pictures."""
        return bool(self.folder or self.command)

    def weights_file(self, base: Path) -> str | Path:
        """The weights for `Colorizer.load`; a file is looked for from the folder `base`."""
        return base / self.weights if self.weights.endswith(".safetensors") else self.weights


def weights_label(weights: str) -> str:
    """What weights are called in tables: a file by its stem, that of a training by its run.

    >>> weights_label("results/colornet-seed0/weights.safetensors"), weights_label("paper")
    ('colornet-seed0', 'paper')
    """
    file = Path(weights)
    if file.suffix != ".safetensors":
        return weights
    return file.parent.name if file.stem == "weights" and file.parent.name else file.stem
