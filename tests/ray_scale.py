"""The command line on a large collection, with Ray and without: same bytes, and how fast.

    python -m tests.ray_scale    # writes results/reliability/ray.json

Pictures are drawn by `model.rendered`, each in the 8 positions that a square can lie in. Ray needs
some time before its first photo and less for each: from the two follows the size of a collection
from which it pays.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import ray
from tqdm import tqdm

from model.colorizer.output import save_png
from model.data.rendered import FRAMES, VARIETIES, render
from tests.support.server import ROOT

PICTURES = 10_000
SIDE = 64  # pixels
RESULTS = ROOT / "results" / "reliability" / "ray.json"


def draw(folder: Path, number: int) -> list[Path]:
    """At least `number` different pictures in `folder`; those that are there stay."""
    files, names = [], list(VARIETIES)
    for index in tqdm(range(-(-number // 8)), "drawing", unit="", disable=None):
        positions = [folder / f"{index:05}-{position}.png" for position in range(8)]
        files += positions
        if all(file.exists() for file in positions):
            continue
        seed, frame = divmod(index // len(names) * 7, FRAMES)
        drawn = render(names[index % len(names)], seed=seed, frame=frame, size=SIDE)
        for position, file in enumerate(positions):
            turned = np.rot90(drawn, position % 4)
            save_png(np.ascontiguousarray(turned[:, ::-1] if position >= 4 else turned), file)
    return files[:number]


def seconds(photos: list[Path], out: Path, *flags: str) -> float:
    """That the command takes for `photos`, from its start to its end."""
    listed = out.with_suffix(".txt")
    listed.write_text("\n".join(map(str, photos)))
    command = [sys.executable, "-m", "model.colorizer", str(listed), "--out", str(out), *flags]
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began


def digest(out: Path) -> str:
    """Of the names and bytes of all that was written."""
    whole = hashlib.sha256()
    for file in sorted(out.iterdir()):
        whole.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=PICTURES, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--drawn", type=Path, help="a folder that keeps the pictures")
    parser.add_argument("--to", type=Path, default=RESULTS, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    sizes = sorted({arguments.pictures // part for part in (100, 30, 10, 3, 1)} - {0})
    engines = {"here": [], "ray": ["--engine", "ray", "--workers", str(arguments.workers)]}
    rows, same = [], True
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.drawn or Path(scratch, "drawn")
        folder.mkdir(parents=True, exist_ok=True)
        photos = draw(folder, arguments.pictures)
        for size in sizes:
            outs = {name: Path(scratch, f"{name}-{size}") for name in engines}
            row = {name: seconds(photos[:size], outs[name], *engines[name]) for name in engines}
            same = same and len({digest(out) for out in outs.values()}) == 1
            rows.append({"pictures": size, "here_s": row["here"], "ray_s": row["ray"]})
            print(f"{size:6} pictures: {row['here']:6.1f} s without, {row['ray']:6.1f} s with Ray")
    here, ours = (np.polyfit(sizes, [row[key] for row in rows], 1) for key in ("here_s", "ray_s"))
    last = rows[-1]
    facts = {
        "pictures": last["pictures"],
        "pixels": [SIDE, SIDE],
        "workers": arguments.workers,
        "ray": ray.__version__,
        "machine": {"system": platform.system(), "processors": os.cpu_count()},
        "load": round(os.getloadavg()[2], 1),  # mean of 15 minutes: 2 are this command itself
        "same_bytes": same,
        "seconds": [{key: round(value, 1) for key, value in row.items()} for row in rows],
        "per_second": {name: round(last["pictures"] / last[f"{name}_s"], 1) for name in engines},
        "faster_by": round(last["here_s"] / last["ray_s"], 2),
        "pays_from": round((ours[1] - here[1]) / (here[0] - ours[0]))
        if here[0] > ours[0]
        else None,
    }
    arguments.to.parent.mkdir(parents=True, exist_ok=True)
    arguments.to.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
