"""What a frozen study consists of, by hashes and versions."""

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from study.db.tables import Stimulus, Study
from study.plan.config import StudyConfig
from study.wording import some

PACKAGES = ("numpy", "opencv-python-headless", "pillow", "scikit-image", "scipy", "torch")


def digest(content: Any) -> str:
    """SHA-256 of `content` as JSON with sorted keys and without blanks."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def manifest_of(
    config: StudyConfig,
    stimuli: Iterable[Stimulus],
    weights: Mapping[str, Path],
    given: Mapping[str, dict],
    *,
    file_sha256: str | None,
) -> dict:
    """The manifest as JSON, without tokens and times: two studies made alike have the same one.

    Args:
        config: the study, with the seed that was drawn.
        stimuli: all its pictures.
        weights: the files of weights, by the names of their arms.
        given: what `Given.told` tells of pictures made elsewhere, by the names of their arms.
        file_sha256: the study file's SHA-256; None where there was none.
    """
    stored = config.model_dump(mode="json")
    return {
        "study": config.name,
        "seed": config.seed,
        "study_file_sha256": file_sha256,
        "config_sha256": digest(stored),
        "texts_sha256": digest(stored["texts"]),
        "weights": {
            name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in weights.items()
        },
        "given": dict(given),
        "pictures": [
            {
                "picture": stimulus.picture,
                "kind": stimulus.kind,
                "purpose": stimulus.purpose,
                "list": stimulus.list_name,
                "arm": stimulus.arm,
                "gray_sha256": stimulus.gray_sha256,
                "color_sha256": stimulus.color_sha256,
            }
            for stimulus in stimuli
        ],
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }


def as_text(study: Study) -> str:
    """What is frozen, for people."""
    config, manifest = StudyConfig.frozen(study.config), study.manifest
    what = f"{config.protocol}, {config.mode}, {config.pairs} pairs for each rater"
    lines = [
        f"study {study.name}: {what}",
        f"pairs of practice before them: {config.practice}",
        f"pictures: {study.pictures_from}, seed {study.seed}",
        *(f"weights {arm}, SHA-256 {sha}" for arm, sha in manifest["weights"].items()),
        *_given(manifest),
        f"texts, SHA-256 {manifest['texts_sha256']}",
        f"manifest, SHA-256 {study.manifest_sha256}",
        "",
        "purpose    list arm        SHA-256 of the colour picture",
    ]
    for row in manifest["pictures"]:
        shown = f"{row['purpose']:10} {row['list'] or '-':4} {row['arm']:10}"
        lines.append(f"{shown} {row['color_sha256']}  {row['picture']}")
    return "\n".join(lines)


def _given(manifest: dict) -> Iterator[str]:
    """The pictures made elsewhere, for people."""
    for arm, told in manifest.get("given", {}).items():
        yield f"files of {arm}: {len(told['pictures'])}, each by its SHA-256 in the manifest"
        if left_out := told["left_out"]:
            named = some(left_out)
            yield f"files of {arm} left out, since no picture has their name: {named}"
