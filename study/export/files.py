"""The files of an export."""

import json
from pathlib import Path

import sqlalchemy as sa

from study.db.engine import reading
from study.db.queries import check_frozen, find_study
from study.errors import StudyError
from study.export import codebook
from study.export.tables import TABLES, Table, rows_of
from study.spreadsheet import as_csv


def export(
    engine: sa.Engine,
    folder: Path,
    study_name: str | None = None,
    *,
    formats: tuple[str, ...] = ("csv", "json"),
    with_participants: bool = False,
    excel: bool = False,
) -> list[Path]:
    """Write the data of a study (None: the newest) and return the files.

    With `excel` the CSV files begin with a byte order mark, by which spreadsheets know UTF-8.

    Raises:
        StudyError: there is no such study, a picture of it was changed, the database cannot be
            read, or `folder` holds something or cannot be written.
    """
    names = [name for name in TABLES if name != "participants" or with_participants]
    with reading(engine) as database:
        study = find_study(database, study_name)
        check_frozen(database, study)
        tables = {
            name: _records(TABLES[name], database.execute(rows_of(TABLES[name], study)))
            for name in names
        }
        manifest = {"manifest_sha256": study.manifest_sha256, "manifest": study.manifest}
    contents = {"manifest.json": _json(manifest)}
    for name, records in tables.items():
        if "csv" in formats:
            header = [column.name for column in TABLES[name].columns]
            mark = "\ufeff" if excel else ""
            contents[f"{name}.csv"] = mark + as_csv(header, records)
        if "json" in formats:
            contents[f"{name}.json"] = _json(records)
    contents["codebook.md"] = codebook.as_markdown(names)
    contents["codebook.json"] = _json(codebook.as_json(names))
    return _write(folder, contents)


def _records(table: Table, rows: sa.Result) -> list[dict[str, object]]:
    """The rows as they stand in a file."""
    columns = table.columns
    return [
        {column.name: column.read(value) for column, value in zip(columns, row, strict=True)}
        for row in rows
    ]


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _write(folder: Path, contents: dict[str, str]) -> list[Path]:
    """All files or none."""
    files = {folder / name: text.encode() for name, text in contents.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StudyError(f"{folder} is not empty; an export replaces and mixes nothing.")
        try:
            for file, content in files.items():
                file.write_bytes(content)
        except BaseException:
            for file in files:
                file.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StudyError(f"{folder} cannot be written: {error.strerror}.") from None
    return list(files)
