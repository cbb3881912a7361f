"""The audit of the blinding: passes what is blind, and finds what was made to tell."""

import dataclasses
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from study.audit import sent, served
from study.audit import stored as audit
from study.db.engine import connect
from study.db.tables import Base
from study.plan.study_file import shorthand
from study.prepare import freeze
from study.rate import Identity, begin
from study.simulate.raters import crowd, run
from tests.support.engines import each_engine
from tests.support.server import ROOT
from tests.support.tiny_study import STUDY, add_study

NAMES = {7.0: "control", 8.0: "generated"}


@pytest.fixture(scope="module")
def frozen(ready_study):
    return audit.load(connect(f"sqlite:///{ready_study}"), None)


def contents(engine: sa.Engine) -> dict[str, list]:
    """The rows of each table."""
    with engine.connect() as connection:
        return {
            table.name: connection.execute(sa.select(table)).all()
            for table in Base.metadata.sorted_tables
        }


def failed(frozen, change) -> list[str]:
    study, pictures = frozen
    findings = audit.audit_study([change(picture) for picture in pictures], study)
    return [finding.what for finding in findings if not finding.passed]


def test_a_frozen_study_passes(frozen):
    assert failed(frozen, lambda picture: picture) == []


def encoded_again(picture: audit.Picture, **options) -> audit.Picture:
    """Its colour version saved in another way, if it is generated."""
    if picture.condition == "control":
        return picture
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture.color_png)).save(buffer, "PNG", **options)
    return dataclasses.replace(picture, color_png=buffer.getvalue())


def brighter(picture: audit.Picture) -> audit.Picture:
    buffer = io.BytesIO()
    rgb = np.asarray(Image.open(io.BytesIO(picture.color_png))) // 2
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=0)
    return dataclasses.replace(picture, color_png=buffer.getvalue())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda picture: encoded_again(picture, compress_level=9), "file sizes"),
        (lambda picture: encoded_again(picture, compress_level=0, dpi=(72, 72)), "encoded alike"),
        (brighter, "same luminance"),
        (brighter, "in the manifest"),
        (lambda picture: dataclasses.replace(picture, token=picture.name), "tokens are random"),
        (
            lambda picture: dataclasses.replace(
                picture, token=picture.condition[0] * 8 + picture.token
            ),
            "order of the tokens",
        ),
    ],
)
def test_what_tells_the_condition_is_found(frozen, change, told):
    assert any(told in what for what in failed(frozen, change))


@pytest.mark.parametrize("pictures", [1, 3, 7])
def test_files_whose_sizes_keep_the_conditions_apart_fail_however_few(pictures):
    sizes = {"control": list(range(pictures)), "generated": list(range(50, 50 + pictures))}
    assert not audit._separates("sizes", sizes).passed
    mixed = {"control": [0, *range(60, 60 + pictures)], "generated": sizes["generated"]}
    assert audit._separates("sizes", mixed).passed
    assert audit._separates("tokens, which are random", sizes, random=True).passed == (pictures < 7)


def record(condition: str, **changes) -> sent.Record:
    """What a blind page would send in a session with one pair, named after its condition."""
    number = 7.0 + (condition == "generated")
    return sent.Record(
        **{
            "texts": ["How good is the colorization?"],
            "fields": {condition: {"bytes": 900.0}},
            "pictures": {f"{condition} {place}": {"bytes": 200.0} for place in (1, 2)},
            "refused": [404],
            "config": {"run_history": False},
        }
        | {name: change(number) for name, change in changes.items()}
    )


def found(frozen, **changes) -> list[str]:
    """The checks that fail on what a page sends, over sessions of either condition."""
    conditions = ["control", "generated"] * 12
    records = [record(condition, **changes) for condition in conditions]
    told = {name: (name, (f"{name} 1", f"{name} 2")) for name in conditions}
    study, pictures = frozen
    findings = [
        sent.words(study, pictures, records),
        sent.fields(records, told),
        sent.refused(records),
        sent.settings(records),
    ]
    return [finding.what for finding in findings if not finding.passed]


def test_a_page_that_tells_nothing_passes(frozen):
    assert found(frozen) == []
    assert sent.parameters({"A": 2, "B": 1}).passed


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"texts": lambda _: ["the pair is a control"]}, "words that tell"),
        ({"fields": lambda number: {NAMES[number]: {"bytes": number}}}, "follows the condition"),
        (
            {"pictures": lambda number: {f"{NAMES[number]} 1": {"headers": number}}},
            "follows the condition",
        ),
        ({"refused": lambda _: [404, 200]}, "no picture can be fetched"),
        ({"config": lambda _: {"run_history": True}}, "run history"),
        ({"buttons": lambda _: 1}, "share buttons"),
    ],
)
def test_a_page_that_tells_the_condition_is_found(frozen, changes, told):
    (what,) = found(frozen, **changes)
    assert told in what


def test_a_page_that_sends_a_picture_name_or_hash_or_lets_raters_choose_is_found(frozen):
    study, pictures = frozen
    for secret in (pictures[0].name, pictures[0].token, study.manifest_sha256):
        assert any(
            "words that tell" in what
            for what in found(frozen, texts=lambda _, secret=secret: [secret])
        )
    assert not sent.parameters({"A": 3, "B": 1}).passed


@each_engine
def test_the_copy_has_the_study_without_its_raters_and_is_thrown_away(db_url):
    engine = connect(db_url)
    add_study(engine, pairs=2, quota=1)
    add_study(engine, name="another", pairs=2)
    run(engine, STUDY, crowd(1, np.random.default_rng(0)), np.random.default_rng(0))
    study, pictures = audit.load(engine, STUDY)
    with served.copied(engine, study) as copy:
        again, copied_pictures = audit.load(copy, None)
        assert (again.name, again.created_at) == (study.name, study.created_at)
        assert again.manifest == study.manifest
        assert sorted(copied_pictures, key=repr) == sorted(pictures, key=repr)
        filled = {name for name, rows in contents(copy).items() if rows}
        assert filled == {"study", "stimulus"}
        token, _ = begin(copy, STUDY, consent=True)
        assert begin(copy, STUDY, consent=True).token != token, "there is room for everybody"
        file = Path(copy.url.database)
    assert not file.exists()


@pytest.mark.browser
@pytest.mark.process
def test_whole_sessions_on_the_page_tell_nothing_and_leave_the_study_as_it_was(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'study.sqlite'}")
    fields = {"pictures": "rendered", "arms": ["control", "paper"], "pairs": 2, "practice": 0}
    freeze.prepare(engine, shorthand(name="live", seed=0, quota=1, **fields))
    run(engine, "live", crowd(1, np.random.default_rng(0)), np.random.default_rng(0))
    begin(engine, "live", consent=True, identity=Identity("somebody"))
    before = contents(engine)
    command = [sys.executable, "-m", "study.audit", "--page", "--sessions", "2"]
    command += ["--db", str(engine.url)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "13 of 13 checks passed, on the frozen pictures and the page." in done.stdout
    assert done.returncode == 0
    assert contents(engine) == before
