"""The command line: photos and folders in, colour photos out, every refusal one sentence."""

import io
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from model.color import rgb_to_lab_exact
from model.colorizer.__main__ import main
from model.colorizer.output import colorized_name, save_png
from model.colorizer.pins import MAX_PINS, Pin
from model.colorizer.pipeline import GUESS, NO_OTHERS, Colorizer
from model.data.rendered import render
from model.photos import read_photo
from model.weights import available_weights
from tests.support.painter import painter
from tests.support.server import ROOT


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the command computes, so that its results can be compared byte by byte."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def luminance(rgb: np.ndarray) -> np.ndarray:
    return rgb_to_lab_exact(rgb)[..., 0]


def run(*arguments, weights: str = "paper") -> int:
    return main([*map(str, arguments), "--weights", weights])


def results(out: Path) -> list[str]:
    return sorted(str(file.relative_to(out)) for file in out.rglob("*") if file.is_file())


PEAR = Image.fromarray(render("Pear Rendered Green", size=60))
GOOD = (
    "photo.jpg",
    "CAPITALS.JPG",
    "photo2.jpeg",
    "photo3.png",
    "photo4.webp",
    "photo5.tif",
    "photo6.tiff",
    "photo7.bmp",
    "photo8.gif",
)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with a photo of every format and one more of each unusual mode."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name in GOOD:
        PEAR.save(folder / name)
    PEAR.convert("L").save(folder / "grey.png")
    PEAR.convert("1").save(folder / "fax.tif")
    PEAR.convert("CMYK").save(folder / "print.jpg")
    PEAR.convert("RGBA").save(folder / "cut-out.png")
    Image.fromarray(np.full((9, 9), 30000, np.uint16)).save(folder / "scan.png")
    (folder / "notes.txt").write_text("no photo, and not named as one")
    return folder


def test_every_photo_of_a_folder_is_colorized(album, tmp_path, capsys):
    assert run(album, "--out", tmp_path / "out") == 0
    names = [file for file in album.iterdir() if file.suffix != ".txt"]
    assert results(tmp_path / "out") == sorted(f"{file.stem}-colorized.png" for file in names)
    for file in names:
        result = read_photo(tmp_path / "out" / colorized_name(file.stem))
        assert np.abs(luminance(result) - luminance(read_photo(file))).max() < 1
    assert f"{len(names)} of {len(names)} photos colorized" in capsys.readouterr().out


def test_a_broken_photo_is_named_and_the_others_are_done(album, tmp_path, capsys):
    (album / "broken.jpg").write_bytes((album / "photo.jpg").read_bytes()[:400])
    assert run(album, "--out", tmp_path / "out") == 1
    printed = capsys.readouterr()
    failed = [line for line in printed.err.splitlines() if line.startswith("failed:")]
    assert len(failed) == 1 and "broken.jpg is damaged" in failed[0]
    assert "14 of 15 photos colorized" in printed.out
    assert "broken-colorized.png" not in results(tmp_path / "out")
    assert len(results(tmp_path / "out")) == 14


def test_the_command_line_and_the_function_give_the_same(tmp_path, capsys):
    page = np.where(np.random.default_rng(1).random((90, 120)) < 0.1, 0, 200).astype(np.uint8)
    Image.fromarray(page).save(tmp_path / "page.png")
    assert main([str(tmp_path / "page.png"), "--out", str(tmp_path / "out")]) == 0
    np.testing.assert_array_equal(
        read_photo(tmp_path / "out" / "page-colorized.png"), Colorizer.load().colorize(page)
    )
    assert f"page.png: {GUESS}" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["missing.jpg", "missing.txt", "album/notes.md"])
def test_a_file_that_is_no_photo_fails_by_name(album, tmp_path, capsys, given):
    (album / "notes.md").write_text("no photo, and not named as one")
    assert run(tmp_path / given, "--out", tmp_path / "out") == 1
    assert f"failed: {Path(given).name} " in capsys.readouterr().err


# Each call: the photos given, and how many of them are done. A photo's width is its number.
@pytest.mark.parametrize(
    "calls",
    [
        [("b/x.jpg c/x.jpg", 2), ("a/x.jpg b/x.jpg c/x.jpg", 1), ("b/x.jpg", 0)],
        [("b/x.jpg", 1), ("a/x.jpg b/x.jpg", 1), ("c/x.jpg", 1), ("a/x.jpg c/x.jpg b/x.jpg", 0)],
        [("c/x.jpg a/x.jpg", 2), ("a/x.jpg c/x.jpg", 0), ("a", 0), ("a b", 1)],
        [("d/x.png", 1), ("d/x.jpg d/x.png", 1), ("d", 0)],
    ],
    ids=["more come before", "one at a time", "folders", "another format"],
)
def test_resuming_finds_each_photos_result_whatever_the_others_are(tmp_path, monkeypatch, calls):
    monkeypatch.chdir(tmp_path)
    widths = {"a/x.jpg": 5, "b/x.jpg": 6, "c/x.jpg": 7, "d/x.jpg": 8, "d/x.png": 9}
    for name, width in widths.items():
        Path(name).parent.mkdir(exist_ok=True)
        Image.new("L", (width, 8), 99).save(name)
        os.utime(name, (0, 0))  # old photos
    done: list[Path] = []
    monkeypatch.setattr(
        "model.colorizer.__main__.run_here",
        lambda task, work: (done.append(photo) or task(photo, out) for photo, out in work),
    )
    asked = set()
    for photos, expected in calls:
        done.clear()
        assert run(*photos.split(), "--out", "out", "--resume") == 0
        assert len(done) == expected, photos
        asked |= {width for name, width in widths.items() if _is_given(name, photos.split())}
        made = [Image.open(Path("out") / name).width for name in results(Path("out"))]
        assert sorted(made) == sorted(asked), "one result of each"


def _is_given(name: str, photos: list[str]) -> bool:
    return name in photos or Path(name).parts[0] in photos


def test_a_photo_that_has_changed_is_done_anew_in_its_place(tmp_path):
    photo, out = tmp_path / "pear.png", tmp_path / "out"
    Image.new("L", (5, 8), 99).save(photo)
    assert run(photo, "--out", out) == 0
    os.utime(out / "pear-colorized.png", (0, 0))
    Image.new("L", (6, 8), 99).save(photo)
    assert run(photo, "--out", out, "--resume") == 0
    assert results(out) == ["pear-colorized.png"]
    assert Image.open(out / "pear-colorized.png").width == 6


def test_a_damaged_result_is_made_anew_and_one_that_names_no_photo_counts(tmp_path, capsys):
    photo, result = tmp_path / "pear.png", tmp_path / "out" / "pear-colorized.png"
    Image.new("L", (5, 8), 99).save(photo)
    result.parent.mkdir()
    Image.new("RGB", (5, 8)).save(result)  # as another program would
    done = f"1 of 1 photos colorized; results in {tmp_path / 'out'}\n"
    for said in ("Nothing to do: the result is there.\n", done):
        assert run(photo, "--out", tmp_path / "out", "--resume") == 0
        assert capsys.readouterr().out == said
        content = result.read_bytes()
        result.write_bytes(content[:9])
    Image.open(io.BytesIO(content)).load()


def test_names_of_results_do_not_depend_on_the_order_of_the_photos(tmp_path):
    photos = [tmp_path / name for name in ("a/x.jpg", "b/x.jpg", "b/x.png", "c/x-png.gif")]
    for width, photo in enumerate(photos, start=5):
        photo.parent.mkdir(exist_ok=True)
        Image.new("L", (width, 5)).save(photo)
    made = []
    for out, order in (("one", photos), ("two", photos[::-1])):
        assert run(*order, "--out", tmp_path / out) == 0
        files = results(tmp_path / out)
        made.append({name: Image.open(tmp_path / out / name).width for name in files})
    assert made[0] == made[1]
    assert sorted(made[0].values()) == [5, 6, 7, 8]


def test_subfolders_keep_their_place(tmp_path):
    for name in ("a.png", "x/a.png", "x/y/a.png"):
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        PEAR.save(tmp_path / "album" / name)
    assert run(tmp_path / "album", "--out", tmp_path / "out") == 0
    assert results(tmp_path / "out") == [
        "a-colorized.png",
        "x/a-colorized.png",
        "x/y/a-colorized.png",
    ]


def test_a_folder_named_like_a_photo_is_a_folder(tmp_path):
    (tmp_path / "album" / "party.jpg").mkdir(parents=True)
    PEAR.save(tmp_path / "album" / "party.jpg" / "pear.png")
    assert run(tmp_path / "album", "--out", tmp_path / "out") == 0
    assert results(tmp_path / "out") == ["party.jpg/pear-colorized.png"]


@pytest.mark.parametrize("inside", [".", "colorized"])
def test_results_inside_the_folder_are_not_taken_for_photos(tmp_path, inside):
    PEAR.save(tmp_path / "pear.png")
    for _ in range(2):
        assert run(tmp_path, "--out", tmp_path / inside) == 0
    assert set(results(tmp_path)) == {
        "pear.png",
        str(Path(inside) / "pear-colorized.png"),
    }


def test_an_empty_folder_is_no_success(tmp_path, capsys):
    (tmp_path / "album").mkdir()
    assert run(tmp_path / "album", "--out", tmp_path / "out") != 0
    assert "0 of 0 photos" in capsys.readouterr().out


def test_unknown_weights_are_one_sentence(album, tmp_path, capsys):
    assert run(album, "--out", tmp_path / "out", weights="nothing") == 2
    said = capsys.readouterr().err
    assert said.startswith("model.colorizer: ") and said.count("\n") == 1
    assert "'nothing'" in said and all(name in said for name in available_weights())
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_made_is_one_sentence(album, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    assert run(album, "--out", tmp_path / "taken" / "out") == 2
    said = capsys.readouterr().err
    assert "taken" in said and said.count("\n") == 1


def test_a_result_that_cannot_be_written_is_named(album, tmp_path, capsys):
    (tmp_path / "out" / "photo3-colorized.png").mkdir(parents=True)
    assert run(album / "photo3.png", album / "grey.png", "--out", tmp_path / "out") == 1
    assert "photo3-colorized.png" in capsys.readouterr().err
    assert (tmp_path / "out" / "grey-colorized.png").is_file()
    assert not list((tmp_path / "out").glob("*.partial"))


def test_results_tell_nothing_that_the_photos_file_said_of_itself(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    PEAR.save(tmp_path / "pear.jpg", exif=exif, icc_profile=profile, comment="taken at home")
    run(tmp_path / "pear.jpg", "--out", tmp_path / "out")
    with Image.open(tmp_path / "out" / "pear-colorized.png") as result:
        assert (result.format, result.mode, result.size) == ("PNG", "RGB", PEAR.size)
        assert set(result.info) == {"Photo"} and not result.getexif()
        assert re.fullmatch("[0-9a-f]{32}", result.info["Photo"]), "a digest and nothing else"


def test_a_written_picture_is_read_as_it_was(tmp_path):
    rgb = np.random.default_rng(6).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    save_png(rgb, tmp_path / "a.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), rgb)
    assert results(tmp_path) == ["a.png"]


# Large collections


def test_the_lines_of_a_list_are_photos_and_folders_each_done_once(album, tmp_path):
    listed = tmp_path / "list.txt"
    paths = [album / "photo3.png", album / "grey.png", album / "photo3.png", tmp_path / "more"]
    (tmp_path / "more").mkdir()
    PEAR.save(tmp_path / "more" / "pear.png")
    listed.write_text("\r\n\n".join(map(str, paths)))
    assert run(listed, album / "grey.png", "--out", tmp_path / "out") == 0
    assert results(tmp_path / "out") == [
        "grey-colorized.png",
        "pear-colorized.png",
        "photo3-colorized.png",
    ]


def test_a_line_of_a_list_that_names_no_photo_fails_by_name(album, tmp_path, capsys):
    (tmp_path / "list.txt").write_text(f"gone.png\n{album / 'photo3.png'}")
    assert run(tmp_path / "list.txt", "--out", tmp_path / "out") == 1
    assert "failed: gone.png does not exist." in capsys.readouterr().err
    assert results(tmp_path / "out") == ["photo3-colorized.png"]


def test_resuming_does_what_is_missing_or_older_than_its_photo(album, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(album, "--out", out) == 0
    whole = {name: (out / name).read_bytes() for name in results(out)}
    times = {name: (out / name).stat().st_mtime_ns for name in whole}
    (out / "fax-colorized.png").unlink()
    os.utime(out / "grey-colorized.png", (0, 0))
    capsys.readouterr()
    assert run(album, "--out", out, "--resume") == 0
    assert {name: (out / name).read_bytes() for name in results(out)} == whole
    changed = {name for name in whole if (out / name).stat().st_mtime_ns != times[name]}
    assert changed == {"fax-colorized.png", "grey-colorized.png"}
    said = f"2 of 2 photos colorized (12 done before); results in {out}\n"
    assert capsys.readouterr().out == said
    assert run(album, "--out", out, "--resume") == 0, "nothing left to do is a success"
    assert capsys.readouterr().out == "Nothing to do: all 14 are there.\n"


def test_an_interrupted_run_leaves_whole_results_and_is_resumed(
    album, tmp_path, capsys, monkeypatch
):
    save, saved = Image.Image.save, []

    def save_or_stop(image: Image.Image, file: Path, **options) -> None:
        save(image, file, **options)
        saved.append(file)
        if len(saved) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", save_or_stop)
        assert run(album, "--out", tmp_path / "out") == 130
    assert "--resume" in capsys.readouterr().err
    assert len(results(tmp_path / "out")) == 2 and not list((tmp_path / "out").glob("*.partial"))
    assert run(album, "--out", tmp_path / "out", "--resume") == 0
    assert len(results(tmp_path / "out")) == 14


def test_without_ray_its_engine_is_one_sentence(album, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray.data", None)
    assert run(album, "--out", tmp_path / "out", "--engine", "ray") == 2
    error = capsys.readouterr().err
    assert error == "model.colorizer: --engine ray: install requirements-ray.txt first.\n"


@pytest.mark.parametrize("flags", [("--engine", "ray", "--workers", "0"), ("--workers", "2")])
def test_workers_are_of_ray_and_at_least_one(album, tmp_path, capsys, flags):
    assert run(album, "--out", tmp_path / "out", *flags) == 2
    assert f"--workers is {flags[-1]}: 1 or more, of --engine ray." in capsys.readouterr().err


# Pins, vividness and alternatives


@pytest.fixture
def unsure(monkeypatch) -> Colorizer:
    """A network that follows hints, whatever weights are asked for."""
    colorizer = painter(yellow=0.5, red=0.3, green=0.2)
    monkeypatch.setattr(Colorizer, "load", lambda weights: colorizer)
    return colorizer


def written(out: Path, name: str = "photo3-colorized.png") -> np.ndarray:
    return read_photo(out / name)


def test_vividness_0_is_grey_and_2_is_more_colourful_than_1(album, tmp_path):
    spread = []
    for vividness in (0, 1, 2):
        assert run(album / "photo3.png", "--out", tmp_path, "--vividness", vividness) == 0
        spread.append(np.ptp(written(tmp_path).astype(int), axis=-1).mean())
    assert spread[0] == 0 and spread[2] > 1.2 * spread[1] > 0


def test_pins_and_alternatives_are_as_from_the_function(album, tmp_path, capsys, unsure):
    pear, out = album / "photo3.png", tmp_path / "out"
    assert run(pear, "--out", out, "--pin", "30,40,#2030c0", "--alternatives", 2) == 0
    pins, rgb = [Pin(30, 40, (32, 48, 192))], read_photo(pear)
    np.testing.assert_array_equal(written(out), unsure.colorize(rgb, pins=pins))
    versions = unsure.alternatives(rgb, count=2)
    assert len(versions) == 2 and len(results(out)) == 3
    assert capsys.readouterr().err.startswith("photo3.png: 2 other versions.")
    for number, version in enumerate(versions, start=1):
        np.testing.assert_array_equal(
            written(out, f"photo3-colorized-{number}.png"),
            unsure.colorize(rgb, pins=[*version, *pins]),
        )


def test_alternatives_that_with_the_users_pins_are_too_many_are_left_out(
    album, tmp_path, capsys, unsure
):
    pear = album / "photo3.png"
    pins = [("--pin", f"{n % 20},{20 + n // 20},#2030c0") for n in range(MAX_PINS + 1)]
    for number, expected in ((MAX_PINS - 3, 3), (MAX_PINS, 1)):
        out = tmp_path / str(number)
        given = [word for pin in pins[:number] for word in pin]
        assert run(pear, "--out", out, *given, "--alternatives", 2) == 0
        assert len({(out / name).read_bytes() for name in results(out)}) == expected
        assert (f"the limit of {MAX_PINS}" in capsys.readouterr().err) == (expected == 1)
    assert run(pear, "--out", tmp_path, *(word for pin in pins for word in pin)) == 1
    assert f"the limit is {MAX_PINS}" in capsys.readouterr().err


def test_a_photo_without_other_likely_colours_is_told(album, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Colorizer, "load", lambda weights: painter(yellow=1))
    assert run(album / "photo3.png", "--out", tmp_path / "out", "--alternatives", 2) == 0
    assert f"photo3.png: {NO_OTHERS}" in capsys.readouterr().err
    assert len(results(tmp_path / "out")) == 1


def test_a_pin_outside_the_photo_is_named(album, tmp_path, capsys, unsure):
    assert run(album / "photo3.png", "--out", tmp_path / "out", "--pin", "60,0,#2030c0") == 1
    assert "failed: The place 60, 0 is outside the photo of 60 x 60" in capsys.readouterr().err


def test_alternatives_inside_the_folder_are_not_taken_for_photos(tmp_path, unsure):
    PEAR.save(tmp_path / "pear.png")
    for _ in range(2):
        assert run(tmp_path, "--out", tmp_path, "--alternatives", 2) == 0
    assert results(tmp_path) == [
        "pear-colorized-1.png",
        "pear-colorized-2.png",
        "pear-colorized.png",
        "pear.png",
    ]


def test_where_nothing_can_be_written_it_is_one_sentence(album, tmp_path, capsys):
    (tmp_path / "notes").write_text("a file")
    assert run(album / "photo3.png", "--out", tmp_path / "notes") == 2
    error = capsys.readouterr().err
    assert "notes cannot be made a folder: File exists" in error and error.count("\n") == 1
    (tmp_path / "out" / "photo3-colorized.png").mkdir(parents=True)
    assert run(album / "photo3.png", "--out", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "photo3-colorized.png cannot be written: Is a directory" in error
    assert "partial" not in error and "Errno" not in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--pin", "5,5"), "X,Y,#RRGGBB"),
        (("--pin", "5,5,red"), "X,Y,#RRGGBB"),
        (("--vividness", "2.5"), "vividness is 2.5"),
        (("--vividness", "nan"), "vividness is nan"),
        (("--alternatives", "-1"), "--alternatives is -1"),
    ],
)
def test_a_wrong_option_is_one_sentence(album, tmp_path, capsys, arguments, said):
    assert run(album / "photo3.png", "--out", tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("model.colorizer: ") and error.count("\n") == 1 and said in error
    assert not (tmp_path / "out").exists()


def test_a_pin_is_for_one_photo(album, tmp_path, capsys):
    assert run(album, "--out", tmp_path / "out", "--pin", "5,5,#ff0000") == 2
    error = capsys.readouterr().err
    assert "--pin is for one photo" in error and error.count("\n") == 1


def test_a_pin_that_the_weights_cannot_use_is_one_sentence(album, tmp_path, capsys):
    assert run(album / "photo3.png", "--out", tmp_path / "out", "--pin", "5,5,#ff0000") == 2
    error = capsys.readouterr().err
    assert "--pin: the weights paper take no pins" in error and error.count("\n") == 1


def test_alternatives_of_a_network_without_any_are_refused(tmp_path, capsys):
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((20, 20), 90, np.uint8)).save(photo)
    assert run(photo, "--out", tmp_path / "out", "--alternatives", 2) == 2
    assert "paper have none" in capsys.readouterr().err


def test_the_version_is_that_of_the_project(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"model.colorizer {project['version']}\n"
