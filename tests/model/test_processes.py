"""Training on several processes, started by torchrun."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.support.server import ROOT
from tests.support.training import FLAGS, train_paper

# Stopped after the third batch by a signal to the second process alone, then resumed.
PROGRAM = f"""
import os, signal, sys

sys.path.insert(0, {str(ROOT)!r})
import torch.distributed as dist

import train
from tests.support.training import stopped_after

rank = int(os.environ["RANK"])
stops = 3 if rank == 1 else 0
stopped = stopped_after(stops, lambda: train.main(sys.argv[1:]))
dist.barrier()
print("left", sorted(os.listdir("results/paper-seed0")), flush=True) if rank == 0 else None
dist.barrier()
finished = train.main([*sys.argv[1:], "--resume"])
dist.destroy_process_group()
sys.exit((stopped, finished) != (130, 0))
"""


@pytest.mark.process
def test_two_processes_stopped_and_resumed_learn_what_one_learns(two_varieties, cwd):
    """With batches of 3 that they share unequally. The first process alone writes and tells."""
    flags = (*FLAGS, "--batch-size", "3", "--epochs", "1", "--device", "cpu")
    assert train_paper(two_varieties, *flags, "--run", "alone") == 0
    alone, folder = cwd / "results" / "alone", cwd / "results" / "paper-seed0"
    (cwd / "program.py").write_text(PROGRAM)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launcher, "--nproc-per-node", "2", "program.py", "paper"]
        + ["--data", str(two_varieties), *flags],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )
    assert done.returncode == 0, done.stderr
    assert "Saved after batch 3 of" in done.stderr
    assert "left ['config.json', 'run.ckpt']" in done.stdout
    assert done.stdout.count("validation loss") == 1
    assert {file.name for file in folder.iterdir()} == {file.name for file in alone.iterdir()}
    found, expected = (
        torch.load(run / "run.ckpt", weights_only=True)["progress"] for run in (folder, alone)
    )
    # rounding alone differs, and grows from step to step
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=0.01)
    ours, theirs = (json.loads((run / "metrics.json").read_text()) for run in (folder, alone))
    assert ours["validation_loss"] == pytest.approx(theirs["validation_loss"], rel=0.01)
