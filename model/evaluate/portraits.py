"""The colour of skin on portraits."""

import numpy as np
import pandas as pd
from tqdm import tqdm

from model.color import rgb_to_lab_exact
from model.colorizer.pipeline import Colorizer
from model.colorizer.upsampling import recolor
from model.data.collections import Photos
from model.metrics import ciede2000

# The sources of portraits with a face in the middle, and the one that is grouped by luminance.
LONDON = "london_faces"
PORTRAITS = (LONDON, "webmorph_canada")
GROUPS = 3
# Least and greatest hue of skin, in degrees of ab.
HUES = (20, 75)


def skin(colorizer: Colorizer, photos: Photos) -> dict[str, float | list[float] | None]:
    """How good the colours of skin are: those of the middle fifth, down and across, of portraits.

    Args:
        colorizer: what colorizes.
        photos: of which those from `PORTRAITS` are looked at.

    Returns:
        skin, the median over portraits of the median CIEDE2000; skin_hue, the share of portraits
        whose mean colour has one of `HUES`; skin_by_luminance, the first for `GROUPS` groups of
        London faces, from dark to light, and skin_worst, the highest of these. None where there are
        no such portraits.
    """
    rows = []
    pictures = zip(photos.rgb, photos.kinds, strict=True)
    for rgb, source in tqdm(list(pictures), desc="skin", unit="photo", disable=None):
        if source not in PORTRAITS:
            continue
        middle = tuple(slice(2 * length // 5, 3 * length // 5) for length in rgb.shape[:2])
        true, generated = rgb[middle], recolor(rgb, colorizer.predict_ab(rgb))[middle]
        luminance, a, b = rgb_to_lab_exact(generated).mean((0, 1))
        hue = np.degrees(np.arctan2(b, a))
        rows.append((source, luminance, hue, np.median(ciede2000(generated, true))))
    found = pd.DataFrame(rows, columns=["source", "luminance", "hue", "difference"])
    london = found[found.source == LONDON].sort_values("luminance").difference
    groups = [float(np.median(g)) for g in np.array_split(london, GROUPS) if len(g)]
    return {
        "skin": float(found.difference.median()) if len(found) else None,
        "skin_hue": float(found.hue.between(*HUES).mean()) if len(found) else None,
        "skin_by_luminance": groups,
        "skin_worst": max(groups, default=None),
    }
