"""Colours predicted for a small picture, scaled up to the photo at full size."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from model.color import lab_to_rgb, luminance_to_gray, rgb_to_lab
from model.photos import resize

# Variance of L around a pixel, in square units, from which on colours follow an edge.
EDGE = 100
# Pixels of a tile: full-size work goes tile by tile, so that memory stays bounded.
TILE_PIXELS = 2**17
# Longest side of a tile in pixels; OpenCV's remap takes no more than 32,766.
TILE_SIDE = 2**14
THREADS = os.cpu_count() or 1


def recolor(rgb: np.ndarray, ab: np.ndarray | None) -> np.ndarray:
    """The luminance of `rgb` with the colours `ab`.

    Args:
        rgb: (H, W, 3) uint8.
        ab: (h, w, 2) float32, real a and b at any scale; of this very size they are taken as they
            are, smaller ones are brought up along the edges of `rgb`. None for grey.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = rgb.shape[:2]
    lines = None
    if ab is not None and ab.shape[:2] != (height, width):
        if ab.shape[0] * ab.shape[1] > height * width:
            ab = resize(ab, (width, height))
        else:
            small = resize(rgb, (ab.shape[1], ab.shape[0]))
            lines = _lines(rgb_to_lab(small)[..., 0], ab)
    result = np.empty_like(rgb)

    def paint(tile: tuple[slice, slice]) -> None:
        luminance = rgb_to_lab(rgb[tile])[..., 0]
        if ab is None:
            result[tile] = luminance_to_gray(luminance)
        elif lines is None:
            result[tile] = lab_to_rgb(luminance, ab[tile])
        else:
            slope_a, slope_b, a, b = cv2.split(_enlarged(lines, tile, height, width))
            colors = cv2.merge([slope_a * luminance + a, slope_b * luminance + b])
            result[tile] = lab_to_rgb(luminance, colors)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(paint, _tiles(height, width)))
    return result


def _lines(luminance: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """ab as a straight line over L, for each pixel of a small picture.

    These are the coefficients of the fast guided filter (He & Sun 2015) with a window of 3 x 3,
    but the intercept is not averaged: each line goes through its own pixel, so nothing of the
    colours is lost. Where L is flat the line is too, and its enlargement plainly smooth.

    Args:
        luminance: (h, w) float32, real L.
        ab: (h, w, 2) float32, real a and b.

    Returns:
        (h, w, 4) float32: the slopes of a and b, and a and b at L = 0.
    """
    mean, mean_ab = _around(luminance)[..., None], _around(ab)
    covariance = _around(luminance[..., None] * ab) - mean * mean_ab
    variance = _around(luminance * luminance)[..., None] - mean * mean
    slope = _around(covariance / (np.maximum(variance, 0) + EDGE))
    return np.dstack([slope, ab - slope * luminance[..., None]]).astype(np.float32)


def _around(values: np.ndarray) -> np.ndarray:
    """Means of 3 x 3."""
    return cv2.boxFilter(values, -1, (3, 3), borderType=cv2.BORDER_REPLICATE)


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    columns = min(width, TILE_SIDE)
    rows = max(1, min(TILE_PIXELS // columns, TILE_SIDE))
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            bottom, right = min(top + rows, height), min(left + columns, width)
            yield slice(top, bottom), slice(left, right)


def _enlarged(small: np.ndarray, tile: tuple[slice, slice], height: int, width: int) -> np.ndarray:
    """This tile of (h, w, C) `small` enlarged to (height, width): cubic, pixel centres aligned."""
    y, x = (
        ((np.arange(part.start, part.stop) + 0.5) * (short / long) - 0.5).astype(np.float32)
        for part, short, long in zip(tile, small.shape, (height, width), strict=False)
    )
    x_map, y_map = np.meshgrid(x, y)
    return cv2.remap(small, x_map, y_map, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
