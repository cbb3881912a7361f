"""Preparing a study: which pictures, in which versions, and frozen."""

import hashlib
import io
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from model.color import rgb_to_lab_exact
from model.data import rendered
from model.metrics import fruit_mask
from model.weights import weights_path
from study.db import queries
from study.db.engine import connect, reading, writing
from study.db.tables import Base, Rating, RatingSession, Stimulus, Study, Trial
from study.errors import StudyError
from study.plan import design
from study.plan.config import StudyConfig
from study.prepare import __main__ as prepare
from study.prepare import freeze, stimuli
from study.prepare.manifest import digest
from study.rate import Identity, begin, resume
from tests.support.engines import each_engine
from tests.support.tiny_study import add_study

RENDERED = """
title = "Colours"
contact = "Jo"
pictures = "rendered"
arms = ["control", "paper"]
seed = 1
"""


def write(folder: Path, further: str = "", *, name: str = "study") -> Path:
    """A study file of rendered pictures, for the smallest network."""
    file = folder / f"{name}.toml"
    file.write_text(RENDERED + further, encoding="utf-8")
    return file


def frozen(url: str, name: str | None = None) -> Study:
    """A study with everything of it loaded."""
    with reading(connect(url)) as database:
        everything = [sa.orm.undefer(c) for c in (Stimulus.gray_png, Stimulus.color_png)]
        study = database.scalar(
            sa.select(Study)
            .where(Study.name == (name or queries.find_study(database).name))
            .options(sa.orm.undefer(Study.manifest))
            .options(sa.orm.selectinload(Study.stimuli).options(*everything))
        )
        database.expunge_all()
        return study


def of(study: Study, purpose: str) -> list[Stimulus]:
    return [stimulus for stimulus in study.stimuli if stimulus.purpose == purpose]


def tiny(folder: Path, **fields) -> Study:
    """A study of tiny pictures that no network coloured."""
    url = f"sqlite:///{folder / 'tiny.sqlite'}"
    add_study(connect(url), **fields)
    return frozen(url)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures are drawn and shown sooner."""
    monkeypatch.setattr(stimuli, "SIDE", 64)


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a command writes that names no database."""
    monkeypatch.setenv("STUDY_DB", f"sqlite:///{tmp_path / 'default.sqlite'}")


@pytest.fixture(scope="module")
def study(ready_study) -> Study:
    """The default study, of rendered fruit."""
    return frozen(f"sqlite:///{ready_study}")


@pytest.fixture
def fakes(tmp_path) -> Study:
    """Real or fake with two models."""
    arms = ("control", "colornet", "paper")
    return tiny(tmp_path, protocol="real-or-fake", pairs=4, practice=2, arms=arms)


# Who sees what


def test_each_list_shows_five_controls_and_five_generated_pictures_of_all_kinds(study):
    main = of(study, "main")
    assert {stimulus.list_name for stimulus in main} == {"A", "B"}
    for name in "AB":
        shown = [stimulus for stimulus in main if stimulus.list_name == name]
        assert len({stimulus.picture for stimulus in shown}) == len(shown) == 10
        assert Counter(s.condition for s in shown) == {"control": 5, "generated": 5}
        for kind in design.KINDS:
            of_kind = [stimulus.condition for stimulus in shown if stimulus.kind == kind]
            assert len(of_kind) in (3, 4)
            assert abs(of_kind.count("control") - of_kind.count("generated")) <= 1


def test_the_lists_are_complementary(study):
    arms = {(s.list_name, s.picture): s.arm for s in of(study, "main")}
    pictures = {picture for _, picture in arms}
    assert len(pictures) == 10
    for picture in pictures:
        assert {arms["A", picture], arms["B", picture]} == {"control", "colornet"}


def test_in_the_papers_mode_there_is_one_list(tmp_path):
    main = of(tiny(tmp_path, mode="paper", practice=0), "main")
    assert {stimulus.list_name for stimulus in main} == {"A"}
    assert len({stimulus.picture for stimulus in main}) == len(main) == 10
    assert Counter(stimulus.condition for stimulus in main) == {"control": 5, "generated": 5}


def test_several_models_are_balanced_the_same_way(tmp_path):
    main = of(tiny(tmp_path, arms=("control", "colornet", "paper"), pairs=6), "main")
    assert Counter((s.list_name, s.arm) for s in main) == {
        (name, arm): 2 for name in "ABC" for arm in ("control", "colornet", "paper")
    }
    assert Counter((s.picture, s.arm) for s in main).most_common(1)[0][1] == 1
    assert {s.condition for s in main if s.arm != "control"} == {"generated"}


def test_real_or_fake_has_a_true_version_of_every_picture(fakes):
    for purpose in ("main", "practice", "attention"):
        stimuli = of(fakes, purpose)
        true = {s.picture: s for s in stimuli if s.condition == "control"}
        assert {s.picture for s in stimuli} == set(true)
        assert all(s.list_name is None for s in true.values())
    main = [s for s in of(fakes, "main") if s.condition == "generated"]
    assert Counter((s.list_name, s.arm) for s in main) == {
        (name, arm): 2 for name in "AB" for arm in ("colornet", "paper")
    }
    practised = [s.arm for s in of(fakes, "practice") if s.condition == "generated"]
    assert sorted(practised) == ["colornet", "paper"]


def test_practice_and_attention_check_show_other_pictures(study, fakes):
    for prepared, practice in ((study, 2), (fakes, 2)):
        pictures = [{s.picture for s in of(prepared, p)} for p in ("main", "practice", "attention")]
        assert [len(p) for p in pictures[1:]] == [practice, 1]
        assert len(set.union(*pictures)) == sum(map(len, pictures))
    assert {s.condition for s in of(study, "practice")} == {"control", "generated"}
    assert all(s.list_name is None for s in of(study, "practice") + of(study, "attention"))


def test_checks_and_practice_can_be_left_out(tmp_path):
    study = tiny(tmp_path, practice=0, pairs=2, checks={"attention": False})
    assert {stimulus.purpose for stimulus in study.stimuli} == {"main"}


# The pictures


def pixels(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)))


def test_versions_of_a_picture_differ_in_nothing_but_their_colours(study):
    for purpose in ("main", "attention"):
        for picture in {stimulus.picture for stimulus in of(study, purpose)}:
            check_versions([s for s in of(study, purpose) if s.picture == picture])


def check_versions(same: list[Stimulus]) -> None:
    assert len({stimulus.gray_png for stimulus in same}) == 1
    pngs = [same[0].gray_png, *(stimulus.color_png for stimulus in same)]
    assert len({len(png) for png in pngs}) == 1, "file sizes tell nothing"
    images = [Image.open(io.BytesIO(png)) for png in pngs]
    assert len({(image.size, image.mode, image.format) for image in images}) == 1
    assert all(image.info == {} for image in images), "no metadata"
    gray, *colored = (rgb_to_lab_exact(np.array(image)) for image in images)
    assert np.abs(gray[..., 1:]).max() < 0.1
    for version in colored:
        assert np.abs(version[..., 0] - gray[..., 0]).max() < 1
    for version in colored[1:]:
        assert np.abs(colored[0] - version)[..., 1:].max() > 5


def test_the_attention_check_is_blue_fruit_and_otherwise_like_any_pair(study):
    (check,) = of(study, "attention")
    assert (check.condition, check.arm) == ("generated", "sky blue")
    check_versions([check])
    rgb = pixels(check.color_png).astype(int)
    fruit = fruit_mask(pixels(check.gray_png))
    assert fruit.mean() > 0.2
    assert (rgb[fruit][:, 2] - rgb[fruit][:, 0] > 20).mean() > 0.9, "blue"
    assert np.abs(np.ptp(rgb[~fruit], axis=-1)).mean() < 20, "on white"
    others = {(len(s.gray_png), len(s.color_png)) for s in of(study, "main")}
    assert others == {(len(check.gray_png), len(check.color_png))}


def test_a_model_may_be_called_like_the_arm_of_the_attention_check():
    config = StudyConfig(
        name="x", title="x", contact="x", arms=("control", "sky blue"), pairs=2, practice=2
    )

    def gray(photo: stimuli.Photo) -> np.ndarray:
        return np.full_like(photo.rgb, 128)

    photo = stimuli.Photo("apple", "apple", rendered.render("Apple Rendered Red", size=64))
    made = list(stimuli.make(config, [photo] * 2, [photo] * 3, {"sky blue": gray}))
    for stimulus in made:
        is_gray = (pixels(stimulus.color_png) == 128).all()
        assert is_gray == (stimulus.condition == "generated" and stimulus.purpose != "attention")


# Frozen


def test_the_manifest_holds_the_hash_of_everything(tmp_path):
    file = write(tmp_path, "pairs = 4\npractice = 1")
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    assert prepare.main([str(file), "--db", url]) == 0
    study = frozen(url)
    manifest = study.manifest
    assert study.manifest_sha256 == digest(manifest)
    assert manifest["study_file_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert manifest["config_sha256"] == digest(study.config)
    assert manifest["texts_sha256"] == digest(study.config["texts"])
    shipped = weights_path("paper").read_bytes()
    assert manifest["weights"] == {"paper": hashlib.sha256(shipped).hexdigest()}
    assert manifest["seed"] == study.seed == 1
    assert {"python", "numpy", "torch", "pillow"} <= manifest["versions"].keys()
    told = {(p["picture"], p["arm"]): p for p in manifest["pictures"]}
    assert len(told) == len(study.stimuli) == 4 * 2 + 1 + 1
    for stimulus in study.stimuli:
        row = told[stimulus.picture, stimulus.arm]
        assert row["gray_sha256"] == hashlib.sha256(stimulus.gray_png).hexdigest()
        assert row["color_sha256"] == hashlib.sha256(stimulus.color_png).hexdigest()
        assert (row["purpose"], row["list"]) == (stimulus.purpose, stimulus.list_name)


def test_the_config_is_stored_with_the_seed_that_was_drawn(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    flags = ["--rendered", "--pairs", "2", "--weights", "paper", "--name", "drawn"]
    assert prepare.main([*flags, "--db", url]) == 0
    study = frozen(url)
    config = StudyConfig.model_validate(study.config)
    assert (config.name, config.pairs, config.seed) == ("drawn", 2, study.seed)
    assert f"seed {study.seed}" in capsys.readouterr().out


def test_the_same_seed_draws_the_same_study(db_url, tmp_path, capsys):
    for name, seed in (("one", "1"), ("again", "1"), ("other", "2")):
        flags = ["--rendered", "--weights", "paper", "--pairs", "2", "--seed", seed]
        assert prepare.main([*flags, "--name", name, "--db", db_url]) == 0
    one, again, other = (frozen(db_url, name).manifest for name in ("one", "again", "other"))
    assert one["pictures"] == again["pictures"]
    assert one["pictures"] != other["pictures"]
    printed = capsys.readouterr().out
    assert all(picture["color_sha256"] in printed for picture in other["pictures"])


def rows(url: str) -> dict[str, int]:
    with reading(connect(url)) as database:
        return {
            name: database.scalar(sa.select(sa.func.count()).select_from(table))
            for name, table in Base.metadata.tables.items()
        }


@each_engine
def test_a_study_without_ratings_is_replaced(db_url, tmp_path, capsys):
    file = write(tmp_path, "pairs = 2")
    assert prepare.main([str(file), "--db", db_url]) == 0
    before, first = rows(db_url), frozen(db_url)
    engine = connect(db_url)
    who = Identity("P1")
    token = begin(engine, "study", consent=True, identity=who).token
    assert "replaced" not in capsys.readouterr().out
    write(tmp_path, "pairs = 2\n[texts]\nquestion = 'Nice?'")
    assert prepare.main([str(file), "--db", db_url]) == 0
    assert "The study 'study' had no ratings yet and is replaced." in capsys.readouterr().out
    assert rows(db_url) == before, "nothing of the old one is left"
    assert frozen(db_url).config["texts"]["question"] == "Nice?"
    assert frozen(db_url).manifest["texts_sha256"] != first.manifest["texts_sha256"]
    assert resume(engine, token, "study") is None


def test_a_study_with_a_rating_cannot_change_but_a_copy_can(db_url, tmp_path, capsys):
    file = write(tmp_path, "pairs = 2")
    assert prepare.main([str(file), "--db", db_url]) == 0
    engine = connect(db_url)
    begin(engine, "study", consent=True)
    with writing(engine) as database:
        trial = database.scalar(sa.select(Trial.id).join(RatingSession).limit(1))
        database.add(Rating(trial_id=trial, value=5, step=1))
    before, manifest = rows(db_url), frozen(db_url).manifest
    capsys.readouterr()
    write(tmp_path, "pairs = 4")
    assert prepare.main([str(file), "--db", db_url]) == 2
    sentence = "Study 'study' has ratings and cannot change; give the copy a new name."
    assert capsys.readouterr().err == f"study.prepare: {sentence}\n"
    assert rows(db_url) == before
    assert frozen(db_url).manifest == manifest
    assert prepare.main([str(write(tmp_path, "pairs = 4", name="copy")), "--db", db_url]) == 0
    assert frozen(db_url, "study").manifest == manifest
    assert len(frozen(db_url, "copy").stimuli) > len(frozen(db_url, "study").stimuli)


def test_the_ready_study_is_the_default_one_of_rendered_fruit(study):
    config = StudyConfig.model_validate(study.config)
    assert (config.mode, config.shown_arms) == ("counterbalanced", ("control", "colornet"))
    assert (config.pictures, config.pairs, config.practice) == ("rendered", 10, 2)


def test_a_ready_study_that_another_server_made_meanwhile_stays(tmp_path, monkeypatch):
    engine = connect(f"sqlite:///{tmp_path / 's.sqlite'}")
    painted = SimpleNamespace(colorize=np.negative, path=weights_path("paper"))
    monkeypatch.setattr(freeze.Colorizer, "load", lambda _: painted)
    make = freeze.stimuli.make

    def meanwhile(*arguments):
        monkeypatch.setattr(freeze.stimuli, "make", make)
        freeze.prepare_ready_study(engine)
        token.append(begin(engine, freeze.READY_STUDY, consent=True).token)
        return make(*arguments)

    token = []
    monkeypatch.setattr(freeze.stimuli, "make", meanwhile)
    freeze.prepare_ready_study(engine)
    assert resume(engine, token[0], freeze.READY_STUDY) is not None


def test_the_ready_study_is_not_made_beside_another(tmp_path):
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    add_study(connect(url), pairs=2)
    freeze.prepare_ready_study(connect(url))
    assert rows(url)["study"] == 1


# Where pictures come from


def test_fruits360_pictures_come_from_test_and_from_different_varieties(rendered_dir, tmp_path):
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    flags = ["--data", str(rendered_dir), "--weights", "paper", "--name", "real", "--seed", "3"]
    assert prepare.main([*flags, "--db", url]) == 0
    study = frozen(url)
    assert study.pictures_from == "fruit drawn by a program", "it says what is shown"
    pictures = {stimulus.picture for stimulus in of(study, "main")}
    assert len(pictures) == 10
    assert all((rendered_dir / picture).is_file() for picture in pictures)
    assert len({Path(picture).parent for picture in pictures}) == 9, "all nine varieties"
    assert {pixels(stimulus.color_png).shape for stimulus in study.stimuli} == {(64, 64, 3)}


def test_a_prepared_study_of_real_pictures(fruits360_dir, tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    flags = ["--data", str(fruits360_dir), "--weights", "paper", "--seed", "5", "--db", url]
    assert prepare.main(flags) == 0
    assert "photographs of Fruits-360, Test" in capsys.readouterr().out
    main = of(frozen(url), "main")
    assert Counter((s.list_name, s.arm) for s in main) == {
        (name, arm): 5 for name in "AB" for arm in ("control", "paper")
    }


@pytest.fixture
def folder(photos_dir: Path, tmp_path: Path) -> Path:
    """The study's folder; beside the study file, `photos` holds photos of two kinds."""
    for index, file in enumerate(sorted((photos_dir / "grocery/train").glob("*/*.jpg"))):
        target = tmp_path / "photos" / file.parent.name
        target.mkdir(parents=True, exist_ok=True)
        image = Image.open(file)
        image.resize((image.width * 2, image.height * 2)).save(target / f"{index}.JPG")
    (tmp_path / "photos" / "notes.txt").write_text("not a photo")
    text = RENDERED.replace('"rendered"', '"photos"')
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_pictures_can_be_photos_of_a_folder(folder):
    url = f"sqlite:///{folder / 's.sqlite'}"
    assert prepare.main([str(folder / "study.toml"), "--db", url]) == 0
    study = frozen(url)
    assert study.pictures_from == "photographs"
    assert Counter(s.kind for s in of(study, "main")) == {"Apple": 10, "Pear": 10}
    assert len({s.picture for s in of(study, "main")}) == 10
    for stimulus in study.stimuli:
        assert (folder / "photos" / stimulus.picture).is_file()
        assert sorted(pixels(stimulus.color_png).shape[:2]) == [43, 64]
    for picture in {stimulus.picture for stimulus in of(study, "main")}:
        check_versions([s for s in study.stimuli if s.picture == picture])


def test_photos_that_cannot_be_shown_are_named(folder, capsys):
    def error() -> str:
        assert prepare.main([str(folder / "study.toml")]) == 2
        (sentence,) = capsys.readouterr().err.splitlines()
        return sentence

    photos = sorted((folder / "photos").glob("*/*.JPG"))
    for photo in photos:
        Image.open(photo).convert("L").save(photo)
    assert "JPG shows no colours, and a control needs its true ones." in error()
    for photo in photos:
        photo.write_bytes(b"")
    assert "JPG is empty (0 bytes)." in error()
    photos[0].rename(folder / "photos" / "other.jpg")
    assert "Too few pictures: " in error()
    for photo in photos[3:]:
        photo.unlink()
    (folder / "photos" / "other.jpg").unlink()
    assert "Too few pictures of Apple: " in error()


def test_a_folder_without_photos_says_so(folder, capsys):
    (folder / "empty").mkdir()
    text = RENDERED.replace('"rendered"', '"empty"')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    assert prepare.main([str(folder / "study.toml")]) == 2
    assert "empty holds no photo." in capsys.readouterr().err


def test_weights_can_be_a_file_beside_the_study_file(tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(weights_path("paper").read_bytes())
    file = write(tmp_path, "pairs = 2\npractice = 0")
    file.write_text(file.read_text().replace('"paper"', '"mine.safetensors"'))
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    assert prepare.main([str(file), "--db", url]) == 0
    assert {stimulus.arm for stimulus in of(frozen(url), "main")} == {"control", "mine"}


# What may go wrong


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--pairs", "7"], "pairs must be even, so that control and colornet are shown equally"),
        (["--pairs", "0"], "pairs must be at least 2, not 0."),
        (["--step", "0.3"], "scale.step must be 0.5 or 1, not 0.3."),
        (["--seed", "-1"], "seed must be at least 0, not -1."),
        (["--name", "a b"], "name must be made of letters"),
        (["--weights", "nobody"], "There are no weights 'nobody'"),
        (["--data", "/nowhere"], "holds no Fruits-360 pictures"),
        (["--rendered", "--data", "x"], "--rendered needs no --data; leave one of them out."),
        (["--db", "nonsense"], "is not a database URL"),
        (["--db", "sqlite://"], "A database in memory keeps nothing; name a file"),
        (["--db", "mysql+pymysql://me@host/x"], "driver pymysql is not installed"),
        (["--db", "sqlite:////nowhere/at/all.sqlite"], "cannot be opened"),
    ],
)
def test_preparing_with_a_wrong_argument_says_which_in_one_sentence(arguments, sentence, capsys):
    base = [] if "--data" in arguments else ["--rendered"]
    assert prepare.main(base + arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_mistakes_in_the_study_file_are_told_line_by_line(tmp_path, capsys):
    file = write(tmp_path, "pairs = 7\nquota = 0")
    assert prepare.main([str(file)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "study.prepare: study.toml, line 7: pairs must be even, so that control and paper are shown"
        " equally often.",
        "study.prepare: study.toml, line 8: quota must be at least 1, not 0.",
    ]


@pytest.mark.parametrize("flag", [["--rendered"], ["--seed", "0"]])
def test_what_the_study_file_says_is_not_said_twice(tmp_path, capsys, flag):
    assert prepare.main([str(write(tmp_path)), *flag]) == 2
    sentence = f"With a study file leave out {flag[0]}: the file says it."
    assert capsys.readouterr().err == f"study.prepare: {sentence}\n"


def test_a_folder_of_fruits360_for_drawn_pictures_is_refused(tmp_path, capsys):
    assert prepare.main([str(write(tmp_path)), "--data", str(tmp_path)]) == 2
    sentence = '--data is for Fruits-360, and the study file says pictures = "rendered"'
    assert capsys.readouterr().err == f"study.prepare: {sentence}; leave --data out.\n"


def test_the_template_can_be_filled_in_and_prepared(tmp_path, capsys):
    assert prepare.main(["--template"]) == 0
    text = capsys.readouterr().out.replace('pictures = "fruits360" ', 'pictures = "rendered"')
    text = text.replace('"colornet"', '"paper"')
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    assert prepare.main([str(tmp_path / "mine.toml"), "--db", url]) == 0
    assert capsys.readouterr().out.startswith("study mine: rating, counterbalanced, 10 pairs")


def test_a_study_that_cannot_be_saved_is_told_and_leaves_nothing(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    connect(url).dispose()
    read_only = f"sqlite:///file:{tmp_path / 's.sqlite'}?mode=ro&uri=true"
    assert prepare.main([str(write(tmp_path, "pairs = 2")), "--db", read_only]) == 2
    assert "Not saved: the database is read-only" in capsys.readouterr().err
    assert rows(url)["study"] == 0


def test_a_program_is_told_what_is_missing_by_an_exception(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 's.sqlite'}")
    config = StudyConfig(name="x", title="x", contact="x", pictures="nowhere", seed=0)
    with pytest.raises(StudyError, match="holds no photo"):
        freeze.prepare(engine, config, base=tmp_path)
