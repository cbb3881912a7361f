"""Large collections: the same command on Ray Data, in one place and on a cluster."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.colorizer.__main__ import main
from model.data.rendered import render
from tests.support.server import ROOT

PICTURES = 12
RAY = ("--engine", "ray", "--workers", "2")


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def results(out: Path) -> dict[str, bytes]:
    """Contents by name."""
    return {str(f.relative_to(out)): f.read_bytes() for f in out.rglob("*") if f.is_file()}


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    """Pictures in folders, one of them under a name that is no text, and a broken one."""
    album = tmp_path_factory.mktemp("album")
    for number in range(PICTURES):
        file = album / ("even" if number % 2 == 0 else "odd") / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        if number == 1:
            file = file.with_name(os.fsdecode(b"\xff.png"))
        Image.fromarray(render("Pear Rendered Green", seed=number, size=40)).save(file)
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return album


@pytest.fixture(scope="module")
def expected(album, tmp_path_factory) -> dict[str, bytes]:
    """What comes of the album without Ray."""
    out = tmp_path_factory.mktemp("here")
    assert run(album, "--out", out, "--vividness", 1.5) == 1
    return results(out)


def test_ray_writes_the_same_bytes_and_names_what_failed(album, expected, tmp_path, capsys):
    assert run(album, "--out", tmp_path, "--vividness", 1.5, *RAY) == 1
    assert results(tmp_path) == expected and len(expected) == PICTURES
    printed = capsys.readouterr()
    assert [line for line in printed.err.splitlines() if line.startswith("failed: broken.jpg ")]
    assert f"{PICTURES} of {PICTURES + 1} photos colorized" in printed.out


def test_resuming_makes_only_what_is_missing(album, expected, tmp_path, capsys):
    assert run(album / "even", "--out", tmp_path / "even", "--vividness", 1.5) == 0
    (tmp_path / "even" / "2-colorized.png").unlink()
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.png")}
    assert run(album, "--out", tmp_path, "--vividness", 1.5, "--resume", *RAY) == 1
    assert results(tmp_path) == expected
    assert all(file.stat().st_mtime_ns == then for file, then in before.items())
    assert f"({len(before)} more were there)" in capsys.readouterr().out


def test_an_interrupted_run_leaves_whole_results_and_is_resumed(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "album").mkdir()
    for number in range(60):
        noise = Image.fromarray(rng.integers(0, 256, (300, 300), np.uint8))
        noise.save(tmp_path / "album" / f"{number}.png")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "model.colorizer", tmp_path / "album", "--out", out, *RAY]
    first = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not list(out.glob("*-colorized.png")):
        assert first.poll() is None, "it ended before it was interrupted"
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    said = first.communicate(timeout=120)[1]
    assert first.returncode == 130 and "--resume" in said and "Traceback" not in said
    whole = sorted(out.glob("*-colorized.png"))
    assert 0 < len(whole) < 60
    for file in whole:
        assert Image.open(file).convert("RGB").size == (300, 300)
    assert subprocess.run([*command, "--resume"], cwd=ROOT, capture_output=True).returncode == 0
    assert len(results(out)) == 60 and len(list(out.glob("*-colorized.png"))) == 60


def test_on_a_cluster_that_does_not_have_the_program(album, expected, tmp_path):
    """Started elsewhere, it has to be sent the package and the weights."""
    from ray.cluster_utils import Cluster

    there = tmp_path / "elsewhere"
    there.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(there)
        patch.delenv("PYTHONPATH", raising=False)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        cluster.add_node(num_cpus=1)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "model.colorizer", album, "--out", tmp_path / "out"]
            + ["--vividness", "1.5", "--engine", "ray"],
            cwd=ROOT,
            env={**os.environ, "RAY_ADDRESS": cluster.address},
            capture_output=True,
            text=True,
        )
    finally:
        cluster.shutdown()
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert results(tmp_path / "out") == expected
