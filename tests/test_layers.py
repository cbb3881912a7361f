"""Who imports whom, read from the sources and held against the rooms that they may import from."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tests.support.server import ROOT

BASICS = "model.photos model.color model.metrics model.weights model.version"
MODEL = f"{BASICS} model.networks model.colorizer model.data model.training model.evaluate"
STUDY = "study.errors study.plan study.db study.cli study.wording study.spreadsheet model.version"
# Rooms, and the rooms that each may import from besides itself.
ALLOWED = {
    "model.version": "",
    "model.photos": "",
    "model.color": "model.photos",
    "model.metrics": "model.photos model.color",
    "model.weights": "model.photos model.color model.metrics",
    "model.networks": "model.color model.weights",
    "model.colorizer": f"{BASICS} model.networks",
    "model.data": "model.photos model.color model.metrics",
    "model.training": f"{BASICS} model.data model.networks",
    "model.evaluate": MODEL,
    "model": MODEL,  # commands of one file
    "train": MODEL,
    "study.errors": "",
    "study.stats": "",
    "study.wording": "",
    "study.spreadsheet": "",
    "study.plan": "study.errors model.weights",
    "study.db": "study.errors study.plan",
    "study.cli": "study.errors study.db model.version",
    "study.rate": "study.errors study.plan study.db",
    "study.export": STUDY,
    "study.prepare": f"{STUDY} {MODEL}",
    "study.report": f"{STUDY} study.stats study.prepare.manifest",
    "study.audit": f"{STUDY} {MODEL} study.stats study.prepare study.rate study.simulate",
    "study.simulate": f"{STUDY} {MODEL} study.stats study.prepare study.rate",
    "study": STUDY,  # commands of one file
    "demo": "model study",
}
# Packages from elsewhere, and the only rooms that may import them.
OUTSIDE = dict.fromkeys(("gradio", "fastapi", "starlette", "uvicorn"), "study.rate demo")
OUTSIDE["torch"] = "model.networks model.colorizer model.training model.evaluate"


def module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = [file for room in ("model", "study", "demo") for file in (ROOT / room).rglob("*.py")]
SOURCES = {module(file): ast.parse(file.read_bytes()) for file in [*FILES, ROOT / "train.py"]}


def imports(name: str) -> set[str]:
    """Modules that this one imports, wherever in it."""
    found = set()
    for node in ast.walk(SOURCES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} has a relative import"
            modules = {f"{node.module}.{alias.name}" for alias in node.names} & SOURCES.keys()
            found |= modules or {node.module}
    return found


def is_in(name: str, rooms: str) -> bool:
    return any(f"{name}.".startswith(f"{room}.") for room in rooms.split())


def may_import(name: str, other: str) -> bool:
    if other not in SOURCES:
        return is_in(name, OUTSIDE.get(other.partition(".")[0], name))
    room, others = (max((r for r in ALLOWED if is_in(m, r)), key=len) for m in (name, other))
    return not other.endswith("__main__") and (room == others or is_in(other, ALLOWED[room]))


def test_rooms_import_only_what_they_may():
    pairs = ((name, other) for name in SOURCES for other in imports(name))
    wrong = {f"{name} imports {other}" for name, other in pairs if not may_import(name, other)}
    assert not wrong


def test_no_circle_of_modules():
    listed = {name: imports(name) - {"model.colorizer.__main__"} for name in SOURCES}
    TopologicalSorter(listed).prepare()  # raises CycleError with the circle
