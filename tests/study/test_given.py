"""Arms that are folders of pictures made elsewhere."""

import hashlib
import io
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from model.color import rgb_to_lab
from model.data import rendered
from study.audit.stored import audit_study, load
from study.db.engine import connect, reading
from study.db.tables import Stimulus
from study.errors import StudyError
from study.plan.arms import Arm
from study.prepare import __main__ as prepare
from study.prepare import stimuli
from study.prepare.given import given_pictures
from study.prepare.program import Program
from study.report import findings, methods
from study.report import reading as sources
from study.report.text import as_text
from study.simulate import raters

SIZE = 48
STUDY = """
title = "Colours"
contact = "Jo"
pictures = "photos"
pairs = 3
practice = 1
seed = 1
[[arms]]
name = "control"
[[arms]]
name = "Zhang 2016"
folder = "zhang/"
[[arms]]
name = "bright"
folder = "bright/"
luminance = "own"
[checks]
color_vision = false
screen = false
"""


def dull(rgb: np.ndarray) -> np.ndarray:
    """What another colorizer made of a picture."""
    gray = rgb.mean(axis=-1, keepdims=True)
    return (gray + (rgb - gray) / 2).astype(np.uint8)


def write_pictures(folder: Path) -> None:
    """Six photos, in JPEG, and what two colorizers made of them, in PNG."""
    for name in ("photos", "zhang", "bright"):
        (folder / name).mkdir()
    for number, variety in enumerate(list(rendered.VARIETIES)[:6]):
        photo = folder / f"photos/{number}.jpg"
        Image.fromarray(rendered.render(variety, size=SIZE)).save(photo, quality=95)
        rgb = dull(np.array(Image.open(photo)))
        Image.fromarray(rgb).save(folder / f"zhang/{number}.png")
        Image.fromarray(rgb // 2 + 100).save(folder / f"bright/{number}.png")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder with a study that is prepared in `s.sqlite`."""
    folder = tmp_path_factory.mktemp("given")
    write_pictures(folder)
    (folder / "study.toml").write_text(STUDY)
    Image.new("RGB", (9, 9)).save(folder / "zhang/contact sheet.png")
    assert prepare.main([str(folder / "study.toml"), "--db", url_of(folder)]) == 0
    return folder


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 's.sqlite'}"


def test_raters_see_the_given_colours_on_the_true_luminance_or_the_files_as_they_are(prepared):
    with reading(connect(url_of(prepared))) as database:
        shown = database.execute(
            sa.select(Stimulus.arm, Stimulus.picture, Stimulus.gray_png, Stimulus.color_png).where(
                Stimulus.purpose == "main", Stimulus.arm != "control"
            )
        ).all()
    assert {row.arm for row in shown} == {"Zhang 2016", "bright"}
    for arm, picture, *pngs in shown:
        gray, seen = (np.array(Image.open(io.BytesIO(png))) for png in pngs)
        folder = "zhang" if arm == "Zhang 2016" else "bright"
        given = np.array(Image.open(prepared / folder / Path(picture).with_suffix(".png")))
        if arm == "bright":
            assert np.array_equal(seen, given)
            continue
        lab, wanted = rgb_to_lab(seen), rgb_to_lab(given)
        assert np.abs(lab[..., 0] - rgb_to_lab(gray)[..., 0]).max() < 1
        assert np.abs(lab[..., 1:] - wanted[..., 1:]).mean() < 2


def test_the_manifest_holds_the_hashes_of_the_files_and_what_was_left_out(prepared, capsys):
    study, pictures = load(connect(url_of(prepared)), None)
    told = study.manifest["given"]["Zhang 2016"]
    assert set(told["pictures"]) == {p.name for p in pictures if p.arm == "Zhang 2016"}
    for picture, sha256 in told["pictures"].items():
        file = prepared / "zhang" / Path(picture).with_suffix(".png")
        assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    assert prepare.main([str(prepared / "study.toml"), "--db", url_of(prepared)]) == 0
    left_out = "files of Zhang 2016 left out, since no picture has their name: contact sheet.png"
    assert left_out in capsys.readouterr().out


def test_audit_and_report_tell_of_own_luminance_and_call_arms_by_their_names(prepared):
    study, pictures = load(connect(url_of(prepared)), None)
    (failed,) = (found for found in audit_study(pictures, study) if not found.passed)
    assert "bright, which keeps its own luminance" in failed.what
    assert "luminance may tell this arm" in failed.figure
    rng = np.random.default_rng(0)
    raters.run(connect(url_of(prepared)), "study", raters.crowd(2, rng), rng)
    source = sources.load(url=url_of(prepared))
    report = findings.findings(source)
    assert "The pictures of bright keep their own luminance" in report.caveats[0]
    text = as_text(report)
    assert re.search(r"^true colours +2 ", text, re.MULTILINE)
    assert "Zhang 2016 - bright" in text
    assert "control -" not in text
    told = "\n".join(methods.methods(source.study, report))
    assert "The pictures of Zhang 2016 and bright were made by other programs" in told
    assert "Those of bright keep their own luminance" in told


# What may be wrong with files


def checked(folder: Path) -> dict:
    pool = stimuli.folder_pool(folder / "photos", np.random.default_rng(0))
    return given_pictures([Arm(name="Z", folder="zhang/")], folder, pool)


def exchange(folder: Path) -> None:
    for old, new in (("0", "x"), ("1", "0"), ("x", "1")):
        (folder / f"zhang/{old}.png").rename(folder / f"zhang/{new}.png")


@pytest.mark.parametrize(
    ("spoil", "sentences"),
    [
        (
            lambda folder: (folder / "zhang/3.png").unlink(),
            ["zhang/ lacks 1 of 6 pictures, 3.jpg: each needs a file of the same name, in "],
        ),
        (
            lambda folder: shutil.copy(folder / "zhang/3.png", folder / "zhang/3.webp"),
            ["zhang/ has two files for one picture: 3.png and 3.webp."],
        ),
        (
            lambda folder: Image.new("RGB", (9, 7)).save(folder / "zhang/0.png"),
            [
                "zhang/ has files of another size: 0.png (9 x 7, not 48 x 48).",
                "zhang/ has files that show another picture: the luminance of 0.png is ",
            ],
        ),
        (
            lambda folder: [(folder / f"zhang/{n}.png").write_bytes(b"") for n in (1, 2)],
            ["zhang/ has damaged files: 1.png is empty (0 bytes); 2.png is empty (0 bytes)."],
        ),
        (
            exchange,
            [
                "zhang/ has files that show another picture: 0.png looks like 1.jpg; 1.png looks"
                " like 0.jpg."
            ],
        ),
        (
            lambda folder: shutil.copy(folder / "photos/0.jpg", folder / "photos/0.png"),
            ["Pictures that differ in their suffix only cannot have files: 0.jpg and 0.png."],
        ),
    ],
    ids=["missing", "twice", "size", "damaged", "exchanged", "suffix"],
)
def test_files_that_do_not_fit_are_named(tmp_path, spoil, sentences):
    write_pictures(tmp_path)
    spoil(tmp_path)
    with pytest.raises(StudyError) as refused:
        checked(tmp_path)
    said = str(refused.value).splitlines()
    assert len(said) == len(sentences)
    for sentence, start in zip(said, sentences, strict=True):
        assert sentence.startswith(start)


def test_photos_of_one_name_need_files_in_the_same_folders(tmp_path):
    write_pictures(tmp_path)
    for folder, suffix in (("photos", "jpg"), ("zhang", "png")):
        for number, new in enumerate(["a/1", "b/1"], 1):
            (tmp_path / folder / new).parent.mkdir()
            (tmp_path / folder / f"{number}.{suffix}").rename(tmp_path / folder / f"{new}.{suffix}")
    files = checked(tmp_path)["Z"].files
    assert files["b/1.jpg"] == tmp_path / "zhang/b/1.png"
    (tmp_path / "zhang/b/1.png").rename(tmp_path / "zhang/1.png")
    with pytest.raises(StudyError, match="lacks 1 of 6 pictures, b/1.jpg"):
        checked(tmp_path)


# Programs


PHOTO = stimuli.Photo("a.jpg", "", rendered.render("Apple Rendered Red", size=SIZE))


def program(folder: Path, code: str) -> Program:
    """A program of that Python code, where `image` is the input and `save` writes the output."""
    (folder / "colorize.py").write_text(
        "import sys, time\nfrom PIL import Image, ImageOps\nimage = Image.open(sys.argv[1])\n"
        f"def save(image): image.save(sys.argv[2])\n{code}\n"
    )
    command = f"{sys.executable} colorize.py {{input}} {{output}}"
    return Program(Arm(name="P", command=command), folder)


def test_a_program_colours_the_grayscale_picture(tmp_path):
    made = program(
        tmp_path, "assert not image.convert('HSV').getchannel('S').getbbox()\n"
        "save(ImageOps.colorize(image.convert('L'), 'navy', 'white'))"
    )  # fmt: skip
    lab, true = rgb_to_lab(made.colored(PHOTO)), rgb_to_lab(PHOTO.rgb)
    assert np.abs(lab[..., 0] - true[..., 0]).max() < 1
    assert lab[..., 2].mean() < -5, "blue"
    assert set(made.told()["pictures"]) == {"a.jpg"}


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("raise SystemExit('no GPU')", "it ended with 1 (no GPU)."),
        ("", "it wrote no {output}."),
        ("open(sys.argv[2], 'w').close()", "output.png is empty (0 bytes)."),
        ("save(image.resize((9, 7)))", "it is 9 x 7, not 48 x 48."),
        ("save(ImageOps.invert(image))", "its luminance is that of another picture."),
        ("time.sleep(60)", "it took over 1 s."),
    ],
)
def test_a_program_that_fails_is_told_in_a_sentence(tmp_path, monkeypatch, code, sentence):
    if "sleep" in code:
        monkeypatch.setattr("study.prepare.program.SECONDS", 1)
    with pytest.raises(StudyError) as failed:
        program(tmp_path, code).colored(PHOTO)
    assert str(failed.value) == f"No picture of a.jpg by the command of P: {sentence}"


def test_a_program_that_is_not_there_is_named(tmp_path):
    arm = Arm(name="P", command="nowhere/colorize {input} {output}")
    with pytest.raises(StudyError, match="P: nowhere/colorize: No such file or directory."):
        Program(arm, tmp_path).colored(PHOTO)
