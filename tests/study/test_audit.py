"""The audit of the blinding: passes what is blind, and finds what was made to tell."""

import dataclasses
import io
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from study.audit import page as audit_page
from study.audit import stored as audit
from study.db import queries
from study.db.engine import connect
from study.prepare import freeze as prepare
from study.rate import Identity, begin
from study.report.source import read_database
from study.status import status
from tests.support import tiny_study
from tests.support.server import ROOT, Server


@pytest.fixture(scope="module")
def frozen(ready_study):
    return audit.load(connect(f"sqlite:///{ready_study}"), None)


@pytest.fixture(scope="module")
def server(ready_study, tmp_path_factory):
    file = shutil.copy(ready_study, tmp_path_factory.mktemp("server"))
    running = Server(f"sqlite:///{file}")
    yield running
    running.stop()


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


def test_a_page_that_runs_another_study_or_database_is_left_alone(server, tmp_path):
    url = server.flags[server.flags.index("--db") + 1]
    engine, elsewhere = connect(url), connect(f"sqlite:///{tmp_path / 's.sqlite'}")
    prepare.prepare_ready_study(elsewhere)
    tiny_study.add_study(engine, name="newer")
    before = status(engine, prepare.READY_STUDY).total.started
    command = [sys.executable, "-m", "study.audit", "--url", server.url, "--sessions", "1", "--db"]
    asked = {"cwd": ROOT, "capture_output": True, "text": True}
    refused = subprocess.run([*command, url, "--study", "newer"], **asked)
    assert "does not run the study 'newer'" in refused.stderr
    assert status(engine, prepare.READY_STUDY).total.started == before
    refused = subprocess.run([*command, str(elsewhere.url)], **asked)
    assert "uses another database" in refused.stderr
    assert queries.ratings(engine, prepare.READY_STUDY).empty


def test_whole_sessions_on_a_running_page_tell_nothing_and_leave_nobody(server):
    url = server.flags[server.flags.index("--db") + 1]
    command = [sys.executable, "-m", "study.audit", "--db", url, "--url", server.url]
    command += ["--study", prepare.READY_STUDY]
    left = Identity(f"{audit_page.AUDITOR}that was killed")
    begin(connect(url), prepare.READY_STUDY, consent=True, identity=left)
    done = subprocess.run([*command, "--sessions", "2"], cwd=ROOT, capture_output=True, text=True)
    assert "13 of 13 checks passed, on the frozen pictures and the page." in done.stdout
    assert done.returncode == 0
    assert queries.ratings(connect(url), prepare.READY_STUDY).empty
    assert read_database(url, prepare.READY_STUDY).sessions.forgotten == 0, (
        "the audit's own raters are none"
    )
