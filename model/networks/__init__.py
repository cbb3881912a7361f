"""The networks, one file each, and their weights on disk.

Each network takes L, `(N, 1, H, W) float32 in -1..1`, and gives ab, `(N, 2, H, W) float32` in the
paper's units (`model.color`). Any height and width from 1 pixel up works. Those in `HINTED` also
take hints, `(N, 3, H, W) float32`: ab and a mask that is 1 where they are given, all 0 elsewhere.
Those with a `distribution` also give the logits of `model.color.AB_BINS`, `(N, bins, h, w)`, one
for each square of `cell` pixels.

Attributes: `studio_scale` and `photo_scale`, the pixels of the longer side of a fruit on white and
of any other photo at which the network was trained.
"""

from model.networks.colornet import ColorNet
from model.networks.familiarity import Familiarity
from model.networks.files import HINTED, NETWORKS, load_network, load_weights, save_weights
from model.networks.folding import fold_batch_norm
from model.networks.paper import PaperNet
from model.networks.zhang import ZhangNet

__all__ = [
    "HINTED",
    "NETWORKS",
    "ColorNet",
    "Familiarity",
    "PaperNet",
    "ZhangNet",
    "fold_batch_norm",
    "load_network",
    "load_weights",
    "save_weights",
]
