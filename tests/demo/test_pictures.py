"""A photo on the page, without a browser."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from demo.colorize import pictures
from model.colorizer.pins import Pin
from model.data.rendered import render
from model.photos import read_photo
from tests.support.painter import painter


def test_a_photo_is_read_once_and_its_download_has_the_colours_of_its_preview(
    tmp_path, monkeypatch
):
    file = str(tmp_path / "pear.png")
    large = cv2.resize(render("Pear Rendered Green", size=200), (1500, 1500))
    Image.fromarray(large[100:1300]).save(file)
    unsure, read, pins = painter(yellow=0.5, green=0.2, red=0.3), [], (Pin(700, 600, (9, 9, 200)),)
    monkeypatch.setattr(pictures, "load_colorizer", lambda weights: unsure)
    monkeypatch.setattr(pictures, "read_upload", lambda path: read.append(path) or read_photo(path))

    preview = pictures.prepare(file, "painter")
    shown = pictures.colorize(unsure, preview, pins=pins)
    pictures.describe(unsure, preview, preview.rgb, shown)
    (version, *_) = pictures.find_alternatives(file, "painter", 4)
    small = pictures.colorize_small(file, "painter", version)
    pictures.likely_colors(file, "painter", Pin(1400, 1100, (0, 0, 0)), pins)
    assert read == [Path(file)]
    assert (shown.shape, small.shape) == ((819, 1024, 3), (205, 256, 3))

    whole = preview.onto(read_photo(Path(file)))
    download = pictures.colorize(unsure, whole, pins=pins)
    assert download.shape == (1200, 1500, 3)
    resized = cv2.resize(download, (1024, 819), interpolation=cv2.INTER_AREA)
    assert np.abs(resized.astype(int) - shown).mean() < 2
    np.testing.assert_array_equal(download, unsure.colorize(large[100:1300], pins=pins))
