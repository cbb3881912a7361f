"""Large collections: the same command on a Ray cluster that does not have the program."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from model.colorizer import __main__ as command
from model.data.rendered import render

PICTURES = 8


def run(*arguments) -> int:
    return command.main([str(argument) for argument in arguments])


def results(out: Path) -> dict[str, bytes]:
    """Contents by name."""
    return {str(f.relative_to(out)): f.read_bytes() for f in out.rglob("*") if f.is_file()}


@pytest.fixture
def album(tmp_path) -> Path:
    """Pictures in folders, one of them under a name that is no text, and a broken one."""
    album = tmp_path / "album"
    for number in range(PICTURES):
        file = album / ("even" if number % 2 == 0 else "odd") / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        if number == 1:
            file = file.with_name(os.fsdecode(b"\xff.png"))
        Image.fromarray(render("Pear Rendered Green", seed=number, size=40)).save(file)
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return album


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> Iterator[None]:
    """Started elsewhere, a cluster has to be sent the package and the weights."""
    from ray.cluster_utils import Cluster

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    monkeypatch.setenv("RAY_ADDRESS", started.address)
    yield
    started.shutdown()


@pytest.mark.process
def test_a_cluster_goes_on_after_an_interruption_and_writes_the_same_bytes(
    album, cluster, tmp_path, capsys, monkeypatch
):
    out, flags = tmp_path / "out", ("--vividness", 1.5, "--engine", "ray", "--resume")

    def interrupted(*given, **named):
        for number, outcome in enumerate(run_on_ray(*given, **named)):
            yield outcome
            if number == 2:
                raise KeyboardInterrupt

    run_on_ray = command.run_on_ray
    with monkeypatch.context() as patch:
        patch.setattr(command, "run_on_ray", interrupted)
        assert run(album, "--out", out, *flags) == 130
    assert "--resume" in capsys.readouterr().err
    done = {file: file.stat().st_mtime_ns for file in out.rglob("*.png")}
    assert 0 < len(done)
    assert run(album, "--out", out, *flags) == 1
    printed = capsys.readouterr()
    assert [line for line in printed.err.splitlines() if line.startswith("failed: broken.jpg ")]
    assert f"({len(done)} done before)" in printed.out
    assert all(file.stat().st_mtime_ns == then for file, then in done.items())
    assert run(album, "--out", tmp_path / "here", "--vividness", 1.5) == 1
    assert results(out) == results(tmp_path / "here")
    assert len(results(out)) == PICTURES
