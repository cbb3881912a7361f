"""The study file: TOML, read and checked; each mistake is reported in a sentence with its line."""

from pathlib import Path

from pydantic import ValidationError

from model.weights import WeightsError, weights_path
from study.plan.arms import Arm
from study.plan.config import StudyConfig
from study.plan.mistakes import StudyFileError, TomlFile, mistakes_in, validated
from study.plan.texts import Texts


def read_study_file(path: Path) -> StudyConfig:
    """The study that a TOML file describes.

    Raises:
        StudyFileError: no such file, no valid TOML, or mistakes, each on a line of its own.
    """
    file = TomlFile(Path(path))
    given, mistakes = file.content, []
    if "texts_file" in given:
        translated, mistakes = _translation(file, given.pop("texts_file"))
        own = given.get("texts", {})
        given["texts"] = translated | own if isinstance(own, dict) else own
    try:
        config = validated(StudyConfig, {"name": file.path.stem} | given)
    except ValidationError as error:
        mistakes += file.mistakes(error, StudyConfig)
    else:
        mistakes += _missing_files(config, file)
    if mistakes:
        raise StudyFileError("\n".join(mistakes))
    return config


def shorthand(**fields: object) -> StudyConfig:
    """A study with these fields, and defaults for what raters are told.

    Raises:
        StudyFileError: a field is wrong.
    """
    told = {"title": "Rate the colours", "contact": "whoever asked you to take part"}
    try:
        return validated(StudyConfig, told | fields)
    except ValidationError as error:
        sentences = [sentence for _, sentence in mistakes_in(error, StudyConfig)]
        raise StudyFileError("; ".join(sentences) + ".") from None


def _translation(file: TomlFile, name: object) -> tuple[dict, list[str]]:
    """All texts of the `texts_file` of that name, and the mistakes in it."""
    if not isinstance(name, str):
        return {}, [file.at(("texts_file",), "texts_file must be the name of a file in quotes")]
    path = file.path.parent / name
    if not path.is_file():
        return {}, [file.at(("texts_file",), f"there is no texts_file {name!r}")]
    translated = TomlFile(path)
    found = translated.content
    mistakes = []
    if missing := [key for key in Texts.model_fields if key not in found]:
        are = f"1 text is missing: {missing[0]}"
        if len(missing) > 1:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            are = f"{len(missing)} texts are missing: {', '.join(missing[:3])}{more}"
        mistakes = [f"{path.name}: {are}; python -m study.prepare --texts prints all of them."]
    try:
        validated(Texts, found)
    except ValidationError as error:
        return {}, translated.mistakes(error, Texts) + mistakes
    return found, mistakes


def _missing_files(config: StudyConfig, file: TomlFile) -> list[str]:
    mistakes, folder = [], file.path.parent
    for index, arm in enumerate(config.arms):
        if sentence := _missing(arm, folder):
            mistakes.append(file.at(("arms", index), sentence))
    pictures = config.pictures
    if pictures not in ("fruits360", "rendered") and not (folder / pictures).is_dir():
        what = f"must be fruits360, rendered or a folder, and there is no folder {pictures!r}"
        mistakes.append(file.at(("pictures",), f"pictures {what}"))
    return mistakes


def _missing(arm: Arm, folder: Path) -> str:
    """What is not there of the arm, "" where nothing is missing."""
    if arm.folder and not (folder / arm.folder).is_dir():
        return f"there is no folder {arm.folder!r}"
    if arm.weights:
        try:
            weights_path(arm.weights_file(folder))
        except WeightsError as error:
            if (folder / arm.weights).is_dir():
                return f'{arm.weights!r} is a folder; write "{arm.weights}/"'
            return str(error).rstrip(".")
    return ""
