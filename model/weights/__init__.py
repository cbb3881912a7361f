"""Names and paths of weights, without torch: commands that only name weights start at once."""

from contextlib import suppress
from pathlib import Path

WEIGHTS_FOLDER = Path(__file__).parent
DEFAULT_WEIGHTS = "colornet"


class WeightsError(ValueError):
    """Weights that cannot be used; the message is one sentence that says what to do."""


def available_weights() -> list[str]:
    """Names of the weights that ship with the project."""
    return sorted(file.stem for file in WEIGHTS_FOLDER.glob("*.safetensors"))


def weights_path(weights: str | Path) -> Path:
    """File of the weights called `weights`: a name in `available_weights`, or a path.

    Raises:
        WeightsError: there is neither such a name nor such a file.
    """
    shipped = WEIGHTS_FOLDER / f"{weights}.safetensors"
    if str(weights) in available_weights():
        return shipped
    with suppress(OSError):  # too long a name
        if Path(weights).suffix == ".safetensors" and Path(weights).is_file():
            return Path(weights)
    raise WeightsError(
        f"There are no weights {str(weights)!r}; there are {', '.join(available_weights())},"
        " or give the path of a .safetensors file."
    )
