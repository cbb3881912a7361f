"""Malformed and hostile uploads, in short; `python -m tests.corpus` posts them all to the page."""

import itertools
import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from demo.colorize.uploads import read_upload
from model.photos import PhotoError
from tests.corpus import CLASSES, arrays, corpus, fruit, scans, whole
from tests.support.painter import painter
from tests.support.posting import Api, Refused, is_one_sentence
from tests.support.server import ROOT

# Classes whose uploads take seconds each.
BOMBS = ("bombs over the limit", "bombs within the limit", "other bombs")
# One in this many of them is read here.
SHARE = 3


@pytest.fixture(scope="module")
def api(server) -> Api:
    return Api(server.url)


@pytest.mark.process
@pytest.mark.parametrize("kind", CLASSES)
def test_an_upload_is_read_or_refused_in_one_sentence(tmp_path, kind):
    file = tmp_path / "upload"
    uploads = CLASSES[kind](np.random.default_rng(0))
    for name, content in itertools.islice(uploads, 0, None, SHARE if kind in BOMBS else 1):
        file.write_bytes(content)
        try:
            rgb = read_upload(file)
        except PhotoError as error:
            assert is_one_sentence(str(error)), name
            assert "upload" in str(error), name
        else:
            assert rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3, name
    assert not multiprocessing.active_children(), "nothing is left of the processes"


def test_an_upload_is_read_as_any_photo(tmp_path):
    fruit().save(tmp_path / "fruit.png")
    np.testing.assert_array_equal(read_upload(tmp_path / "fruit.png"), np.asarray(fruit()))


def test_an_upload_larger_than_what_is_sent_at_once_arrives_whole(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (700, 1001, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    np.testing.assert_array_equal(read_upload(tmp_path / "noise.png"), noise)


@pytest.mark.process
def test_an_upload_that_keeps_the_decoder_busy_ends_in_a_sentence(tmp_path):
    (tmp_path / "busy.jpg").write_bytes(scans(2_000))
    with pytest.raises(PhotoError, match=r"^busy\.jpg takes too much time or memory"):
        read_upload(tmp_path / "busy.jpg")


def test_a_missing_upload_is_refused_as_by_read_photo(tmp_path):
    with pytest.raises(PhotoError, match=r"^gone\.png does not exist\.$"):
        read_upload(tmp_path / "gone.png")


@pytest.mark.process
def test_what_decodes_does_not_load_the_networks():
    program = (
        "import sys, demo.colorize.uploads; print({'torch', 'cv2', 'gradio'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert loaded.stdout.strip() == b"set()"


@pytest.mark.parametrize("name", [name for name, _ in arrays()])
def test_an_array_is_colorized_or_refused_in_one_sentence(name):
    photo = dict(arrays())[name]
    try:
        rgb = painter().colorize(photo)
    except PhotoError as error:
        assert is_one_sentence(str(error))
    else:
        assert rgb.dtype == np.uint8 and rgb.shape == (*np.shape(photo)[:2], 3)


def test_the_page_answers_with_a_picture_or_one_sentence_and_lives(api):
    for kind in CLASSES:
        upload = next(corpus([kind]))
        try:
            assert api.is_png(api.colorize(upload.name, upload.content)), upload.name
        except Refused as refused:
            assert is_one_sentence(str(refused)), upload.name
    assert api.is_png(api.colorize("fruit.jpg", whole()["fruit.jpg"]))


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
@pytest.mark.parametrize("beside_an_upload", [False, True])
def test_a_picture_that_was_not_uploaded_is_out_of_reach(api, tmp_path, meta, beside_an_upload):
    fruit().save(tmp_path / "secret.png")
    path = str(tmp_path / "secret.png")
    if beside_an_upload:
        folder = Path(api.upload("fruit.png", whole()["fruit.png"])["path"]).parent
        path = str(folder) + "/.." * len(folder.parts) + path
        assert Path(path).exists()
    for function, *more in (("colorize", [], 1), ("alternatives", 1)):
        with pytest.raises(Refused) as refused:
            api.call(function, {"path": path, **meta}, "paper", *more)
        assert is_one_sentence(str(refused.value)) and "secret" not in str(refused.value)


def test_a_picture_on_another_server_is_not_fetched(api):
    elsewhere = "http://192.0.2.1/fruit.png"
    photo = {"path": elsewhere, "meta": {"_type": "gradio.FileData"}}
    for function, *more in (("colorize", [], 1), ("alternatives", 1)):
        with pytest.raises(Refused, match="did not arrive; upload it"):
            api.call(function, photo, "paper", *more)
    for route in ("file=", "file/", "proxy="):
        answer = requests.get(f"{api.url}/{route}{elsewhere}")
        assert (answer.status_code, answer.text) == (404, "This page offers no such thing.")


def test_a_link_among_the_uploads_leads_nowhere(api, tmp_path):
    fruit().save(tmp_path / "secret.png")
    link = Path(api.upload("fruit.png", whole()["fruit.png"])["path"]).with_name("link.png")
    link.symlink_to(tmp_path / "secret.png")
    photo = {"path": str(link), "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(Refused):
        api.call("colorize", photo, "paper", [], 1)
    assert requests.get(f"{api.url}/file={link}").status_code == 403
