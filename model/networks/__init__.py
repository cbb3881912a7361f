"""The networks: one file each, the contract that they share, and their weights on disk."""

from model.networks.colornet import ColorNet
from model.networks.paper import PaperNet
from model.networks.zhang import ZhangNet

# Every network by the name that files of weights and recipes know it by.
NETWORKS = {network.__name__: network for network in (PaperNet, ColorNet, ZhangNet)}
