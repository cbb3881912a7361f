"""The benchmark tells the same figures in words and as JSON; how large they are is not tested."""

import json

from model.evaluate import benchmark


def test_every_row_is_a_ratio_of_two_times(capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "TURNS", 1)
    monkeypatch.setattr(benchmark, "SIDE", 8)
    monkeypatch.setattr(benchmark, "PHOTO", (60, 80))
    assert benchmark.main(["--weights", "paper", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["weights"] == "paper" and told["turns"] == 1 and told["threads"] >= 1
    assert len(told["rows"]) == 2
    for row in told["rows"].values():
        assert set(row) == {"seconds", "reference_seconds", "ratio"}
        assert min(row.values()) > 0


def test_the_lines_show_the_same(capsys, monkeypatch):
    row = {"seconds": 0.0725, "reference_seconds": 0.5, "ratio": 0.145}
    for name in ("forward_pass", "whole_photo"):
        monkeypatch.setattr(benchmark, name, lambda *_: row)
    assert benchmark.main([]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("colornet, ") and len(lines) == 2
    for title, line in zip(benchmark.SPEED, lines, strict=True):
        assert line == f"{title}: 72 ms to 500 ms, ratio 0.14"


def test_unknown_weights_are_one_sentence(capsys):
    assert benchmark.main(["--weights", "colourful"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("model.benchmark: ") and "colourful" in said and said.count("\n") == 1
