"""Any photo in, a colour photo of the same size out."""

from model.colorizer.pins import Pin, PinError
from model.colorizer.pipeline import Colorizer

__all__ = ["Colorizer", "Pin", "PinError"]
