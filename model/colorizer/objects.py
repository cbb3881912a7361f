"""The object that a place of a picture belongs to, told from the luminance and, a little, from the
colours that the network gives.

The picture falls into regions without an edge inside, the basins of its gradient (Meyer's
watershed). From the region of a place, its neighbours are taken in one after the other, the one
behind the weakest edges first, as a shortest path crosses them (a geodesic distance). Each set of
regions on the way may be the object. Such a set is the more likely the stronger the edges are all
around it, the shorter its outline and the nearer its last region; a fleck is unlikely. The sets
vote by how likely they are, and a region belongs to the object by its share of the votes.
"""

from functools import cached_property

import cv2
import numpy as np
from scipy.ndimage import mean
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from skimage.segmentation import watershed

# Standard deviation of the Gaussian that smooths a picture before its gradient, in pixels.
SMOOTHING = 0.7
# Weight of the colours' gradient beside that of L: the network puts colours less precisely.
COLOR_WEIGHT = 0.3
# Distances grow by the strength of the edges crossed, in units of L a pixel, less by those below
# `FAINT`, of which grain has many; by `STEP` for each crossing; by `UNLIKE` for each unit of ab by
# which colours differ; by `AWAY` for a longer side.
FAINT, STEP, UNLIKE, AWAY = 1.0, 0.02, 0.2, 5.0
# Strength at which an edge counts half: beyond a multiple of it, edges are alike.
HALF = 2.0
# Share of the picture's area from which on an object is no fleck, and how much less likely smaller
# ones are, as an exponent.
FLECK, FLECK_POWER = 0.08, 0.4
# How much less likely a set is by the length of its outline over the root of its area, and by the
# distance of its last region in units of 10, as exponents.
OUTLINE_POWER, DISTANCE_POWER = 0.5, 0.3
# What the frame counts where an object reaches it, as an edge does; less the more distant it is
# there, by a factor of e for `FRAME_NEAR`.
FRAME, FRAME_NEAR = 0.7, 10.0
# Share of the best score by which another set has e times fewer votes.
DOUBT = 0.03
# Share of the votes up to which a region is no part of the object, and from which on it is.
DECIDED = (0.1, 0.4)


class Regions:
    """A picture in regions, and the edges between them.

    Args:
        luminance: (h, w) float32, real L.
        ab: (h, w, 2) float32, real a and b.

    Attributes:
        label: (h, w) int, the region of each pixel, from 0.
    """

    def __init__(self, luminance: np.ndarray, ab: np.ndarray) -> None:
        gradient = _gradient(np.dstack([luminance, COLOR_WEIGHT * ab]))
        self.label = np.maximum(watershed(gradient), 1) - 1  # 0 all over where all is flat
        self.count = count = int(self.label.max()) + 1
        every = np.arange(count)
        rows, columns = np.indices(self.label.shape)
        self._center = np.stack([mean(at, self.label, every) for at in (rows, columns)], 1)
        self._color = np.stack([mean(ab[..., c], self.label, every) for c in (0, 1)], 1)
        self._area = np.bincount(self.label.ravel(), minlength=count) / self.label.size
        outermost = (self.label[0], self.label[-1], self.label[:, 0], self.label[:, -1])
        self._frame = np.bincount(np.concatenate(outermost), minlength=count)
        self._measure_edges(gradient)

    def _measure_edges(self, gradient: np.ndarray) -> None:
        """Pairs of neighbours, with the length and the mean strength of the edge between them."""
        pairs, strengths = [], []
        for here, there in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
            one, other = self.label[here], self.label[there]
            border = one != other
            first, second = np.minimum(one, other)[border], np.maximum(one, other)[border]
            pairs.append(first.astype(np.int64) * self.count + second)
            strengths.append(np.maximum(gradient[here], gradient[there])[border])
        pairs, number = np.unique(np.concatenate(pairs), return_inverse=True)
        self._one, self._other = np.divmod(pairs, self.count)
        self._length = np.bincount(number, minlength=len(pairs)).astype(float)
        total = np.bincount(number, np.concatenate(strengths), minlength=len(pairs))
        self._strength = total / self._length

    @cached_property
    def _paths(self) -> coo_array:
        cost = self._strength**2 / (self._strength + FAINT) + STEP
        edges = (cost, (self._one, self._other))
        return coo_array(edges, shape=(self.count, self.count)).tocsr()

    def objects_of(self, regions: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """The objects that these regions belong to.

        Returns:
            for each of `regions` how far every region belongs to its object, in 0..1, and how
            distant it is: both (len(regions), count) float.
        """
        crossed = dijkstra(self._paths, directed=False, indices=regions)
        distance = np.stack([self._distance(*each) for each in zip(regions, crossed, strict=True)])
        return np.stack([self._votes(each) for each in distance]), distance

    def _distance(self, start: int, crossed: np.ndarray) -> np.ndarray:
        unlike = np.linalg.norm(self._color - self._color[start], axis=1)
        away = np.linalg.norm(self._center - self._center[start], axis=1) / max(self.label.shape)
        return crossed + UNLIKE * unlike + AWAY * away

    def _votes(self, distance: np.ndarray) -> np.ndarray:
        """How far each region belongs to the object, of all sets that grow by the next region."""
        order = np.argsort(distance, kind="stable")
        rank = np.empty(self.count, int)
        rank[order] = np.arange(self.count)
        ends = rank[self._one], rank[self._other]
        enters, leaves = np.minimum(*ends), np.maximum(*ends)

        def around(edges: np.ndarray) -> np.ndarray:
            """Sum over the edges on the outline of each set."""
            change = np.bincount(enters, edges, self.count) - np.bincount(leaves, edges, self.count)
            return np.cumsum(change)

        counts = self._strength / (self._strength + HALF)
        near_frame = self._frame * FRAME * np.exp(-distance / FRAME_NEAR)
        strength = around(self._length * counts) + np.cumsum(near_frame[order])
        outline = around(self._length) + np.cumsum(self._frame[order])
        area = np.cumsum(self._area[order])
        score = strength / np.maximum(outline, 1)
        score *= np.minimum(area, FLECK) ** FLECK_POWER
        score *= (outline / np.sqrt(area * self.label.size)) ** -OUTLINE_POWER
        score *= (1 + distance[order] / 10) ** -DISTANCE_POWER
        votes = np.exp((score / max(score.max(), 1e-9) - 1) / DOUBT)
        share = (np.cumsum(votes[::-1])[::-1] / votes.sum())[rank]
        low, high = DECIDED
        decided = np.clip((share - low) / (high - low), 0, 1)
        return decided**2 * (3 - 2 * decided)


def _gradient(channels: np.ndarray) -> np.ndarray:
    """Length of the gradient of (h, w, C) float32, over all channels, in units a pixel: (h, w)."""
    smooth = cv2.GaussianBlur(channels.astype(np.float32), None, SMOOTHING)
    slopes = [cv2.Sobel(smooth, -1, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1))]
    return np.sqrt(sum(np.square(slope).sum(-1) for slope in slopes))
