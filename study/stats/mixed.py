"""The crossed mixed model of the ratings, by statsmodels (REML).

rating ~ contrast + (1 + contrast || rater) + (1 + contrast || picture), contrast +1/2 for control
and -1/2 for the model (Baayen, Davidson & Bates 2008); without a random effect of the contrast over
pictures where each picture has one condition only. statsmodels tests with z, which treats the
standard error as known: with few raters and pictures p is too small (how much:
results/study-design/README.md). The report therefore recommends the quasi-F test of
`study.stats.contrasts`, also where this model cannot be fitted, and takes the standard deviations
from here.
"""

import math
import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from study.stats.contrasts import OTHER_BOTH, is_nested, quasi_f
from study.stats.ratings import Cells

# Number of ratings up to which the model is fitted; the time grows faster than their number.
LARGEST = 5000
FORMULA = "rating ~ contrast + (1 + contrast || rater) + (1 + contrast || picture)"
NESTED_FORMULA = "rating ~ contrast + (1 + contrast || rater) + (1 | picture)"

# The random effects, and what varies by each.
WORDS = {
    "rater": "raters",
    "picture": "pictures",
    "rater_effect": "raters' differences",
    "picture_effect": "pictures' differences",
}


@dataclass(frozen=True)
class MixedModel:
    """Control minus model with its 95% Wald interval, and the sd of every random effect.

    NaN where there is none, and `note` says why.
    """

    formula: str
    converged: bool
    note: str
    mean: float = math.nan
    se: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    z: float = math.nan
    p: float = math.nan
    sd_rater: float = math.nan
    sd_picture: float = math.nan
    sd_rater_effect: float = math.nan
    sd_picture_effect: float = math.nan
    sd_residual: float = math.nan

    method: ClassVar[str] = "mixed model"
    speaks_for: ClassVar[str] = OTHER_BOTH

    @property
    def statistic(self) -> str:
        return f"z = {self.z:z.2f}" if self.converged else ""

    @property
    def spread(self) -> str:
        """The standard deviations in a sentence, or nothing."""
        if not self.converged:
            return ""
        parts = [(words, getattr(self, f"sd_{name}")) for name, words in WORDS.items()]
        parts.append(("the residual", self.sd_residual))
        told = ", ".join(f"{words} {sd:.2f}" for words, sd in parts if not math.isnan(sd))
        return f"Standard deviations in the mixed model: {told}."


def mixed_model(cells: Cells) -> MixedModel:
    """Fit the model, and say in `note` whether it converged and which effects vanished.

    >>> rng = np.random.default_rng(0)
    >>> rater, picture = np.divmod(np.arange(240), 10)
    >>> taste, colours = rng.normal(0, 1, 24)[rater], rng.normal(0, 1.5, 10)[picture]
    >>> model = (rater + picture) % 2  # or control
    >>> y = np.full((2, 24, 10), np.nan)
    >>> y[model, rater, picture] = 5 - 2 * model + taste + colours + rng.normal(0, 1, 240)
    >>> fitted = mixed_model(Cells(y, np.arange(24) % 2))
    >>> print(f"{fitted.mean:.2f}, residual sd {fitted.sd_residual:.2f}, {fitted.converged}")
    1.92, residual sd 1.03, True
    """
    formula = NESTED_FORMULA if is_nested(cells) else FORMULA
    stands_in = "The quasi-F test stands in for it."
    if np.isfinite(cells.y).sum() > LARGEST:
        note = f"With more than {LARGEST} ratings the mixed model is not fitted. {stands_in}"
        return MixedModel(formula, False, note)
    if reason := quasi_f(cells).note:
        return MixedModel(formula, False, f"The mixed model cannot be fitted. {reason}")
    rating, fixed, effects = effects_of(cells.y)
    if formula == NESTED_FORMULA:
        del effects["picture_effect"]
    try:
        fit = fit_crossed(rating, fixed, effects)
    except (np.linalg.LinAlgError, ValueError):
        note = f"The mixed model could not be fitted. {stands_in}"
        return MixedModel(formula, False, note)
    with np.errstate(invalid="ignore"):  # a variance below zero has no root
        mean, se = float(fit.fe_params[1]), float(fit.bse_fe[1])
    if not fit.converged or not se > 0:
        note = f"The mixed model did not converge. {stands_in}"
        return MixedModel(formula, False, note)
    sd = dict(zip(effects, np.sqrt(fit.vcomp).tolist(), strict=True))
    gone = " and ".join(WORDS[name] for name, value in sd.items() if value < 0.01)
    note = "The mixed model converged" + f" with no variance left between {gone}" * bool(gone)
    low, high = fit.conf_int()[1].tolist()
    return MixedModel(
        formula,
        True,
        f"{note}. Its p treats the standard error as known and is too small with few raters.",
        mean=mean,
        se=se,
        ci_low=low,
        ci_high=high,
        z=float(fit.tvalues[1]),
        p=float(fit.pvalues[1]),
        sd_residual=math.sqrt(fit.scale),
        **{f"sd_{name}": value for name, value in sd.items()},
    )


def effects_of(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Ratings (n,) of y (2, raters, pictures), fixed effects (n, 2), random effects (n, levels).

    Fixed are the mean and the contrast.
    """
    condition, rater, picture = np.nonzero(np.isfinite(y))
    contrast = 0.5 - condition
    effects = {"rater": np.eye(y.shape[1])[rater], "picture": np.eye(y.shape[2])[picture]}
    effects |= {f"{name}_effect": of * contrast[:, None] for name, of in effects.items()}
    fixed = np.column_stack([np.ones(len(contrast)), contrast])
    return y[np.isfinite(y)], fixed, effects


def fit_crossed(rating: np.ndarray, fixed: np.ndarray, effects: dict[str, np.ndarray]):
    """statsmodels' fit of `fixed` (n, k) and independent random `effects`, each (n, levels).

    Powell's method needs no gradient and so does not stumble over a variance of zero.
    """
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec  # here: slow to import

    names = list(effects)
    columns = [[[f"{name}{k}" for k in range(effects[name].shape[1])]] for name in names]
    spec = VCSpec(names, columns, [[effects[name]] for name in names])
    model = MixedLM(rating, fixed, groups=np.ones(len(rating)), exog_vc=spec)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # about variances at zero, which the note tells
        return model.fit(reml=True, method=["powell"], xtol=1e-6, ftol=1e-12)
