"""The benchmark tells the same figures in words and as JSON; how large they are is not tested."""

import json

import pytest

from model.evaluate import benchmark


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(benchmark, "TURNS", 2)
    monkeypatch.setattr(benchmark, "SIDE", 32)
    monkeypatch.setattr(benchmark, "PHOTO", (60, 80))


def test_every_row_is_a_ratio_of_two_times(capsys):
    assert benchmark.main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["weights"] == "colornet" and told["turns"] == 2 and told["threads"] >= 1
    assert len(told["rows"]) == 2
    for row in told["rows"].values():
        assert set(row) == {"seconds", "reference_seconds", "ratio"}
        assert min(row.values()) > 0

    assert benchmark.main([]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("colornet, ")
    assert [line.rpartition(": ")[0] for line in lines] == list(told["rows"])


def test_other_weights_may_be_measured(capsys):
    assert benchmark.main(["--weights", "paper", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weights"] == "paper"


def test_unknown_weights_are_one_sentence(capsys):
    assert benchmark.main(["--weights", "colourful"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("model.benchmark: ") and "colourful" in said and said.count("\n") == 1
