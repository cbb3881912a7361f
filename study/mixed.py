"""The crossed mixed model of the ratings, by statsmodels (REML).

rating ~ contrast + (1 + contrast || rater) + (1 + contrast || picture), contrast +1/2 for control
and -1/2 for the model; without a random effect of the contrast over pictures where each picture has
one condition only. statsmodels tests with z, which takes the standard error for known: with few
raters and pictures p is too small (how much: results/study-design/README.md). The report therefore
recommends `study.contrasts.by_both`, which is also the fallback, and takes the standard deviations
from here.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.contrasts import Contrast, by_both, is_nested
from study.ratings import CONTROL

LARGEST = 5000  # ratings; the time grows faster than their number
FORMULA = "rating ~ contrast + (1 + contrast || rater) + (1 + contrast || picture)"
NESTED_FORMULA = "rating ~ contrast + (1 + contrast || rater) + (1 | picture)"

WORDS = {
    "rater": "raters",
    "picture": "pictures",
    "rater_effect": "raters' differences",
    "picture_effect": "pictures' differences",
}


@dataclass(frozen=True)
class MixedModel:
    """Control minus model with its 95% Wald interval, and the sd of every random effect.

    NaN where there is none; `fallback` is the test to read where the model did not converge.
    """

    formula: str
    converged: bool
    mean: float
    se: float
    ci_low: float
    ci_high: float
    z: float
    p: float
    sd_rater: float
    sd_picture: float
    sd_rater_effect: float
    sd_picture_effect: float
    sd_residual: float
    fallback: Contrast | None
    note: str


def mixed_model(
    table: pd.DataFrame, condition: str = "generated", reference: str = CONTROL
) -> MixedModel:
    """Fit the model, and say in `note` whether it converged and which effects vanished.

    >>> rng = np.random.default_rng(0)
    >>> rater, picture = np.divmod(np.arange(240), 10)
    >>> control = (rater + picture) % 2 == 0
    >>> taste, colours = rng.normal(0, 1, 24)[rater], rng.normal(0, 1.5, 10)[picture]
    >>> table = pd.DataFrame({
    ...     "rater": rater,
    ...     "picture": picture,
    ...     "condition": np.where(control, "control", "generated"),
    ...     "rating": 5 + 2 * control + taste + colours + rng.normal(0, 1, 240),
    ... })
    >>> model = mixed_model(table)
    >>> print(f"{model.mean:.2f}, residual sd {model.sd_residual:.2f}, {model.converged}")
    1.92, residual sd 1.03, True
    """
    rows = table[table["condition"].isin([reference, condition])]
    nested = is_nested(rows, condition, reference)
    formula = NESTED_FORMULA if nested else FORMULA
    fallback = by_both(table, condition, reference)
    if len(rows) > LARGEST:
        said = f"With more than {LARGEST} ratings the mixed model is not fitted"
        return _unfitted(formula, fallback, said)
    if fallback.note:
        return _unfitted(formula, fallback, "The mixed model cannot be fitted", fallback.note)
    contrast = np.where(rows["condition"] == reference, 0.5, -0.5)
    effects = {"rater": _dummies(rows["rater"]), "picture": _dummies(rows["picture"])}
    effects["rater_effect"] = effects["rater"] * contrast[:, None]
    if not nested:
        effects["picture_effect"] = effects["picture"] * contrast[:, None]
    try:
        fit = fit_crossed(
            rows["rating"].to_numpy(float), np.column_stack([np.ones(len(rows)), contrast]), effects
        )
    except (np.linalg.LinAlgError, ValueError):
        return _unfitted(formula, fallback, "The mixed model could not be fitted")
    mean, se = float(fit.fe_params[1]), float(fit.bse_fe[1])
    if not fit.converged or not se > 0:
        return _unfitted(formula, fallback, "The mixed model did not converge")
    sd = dict(zip(effects, np.sqrt(fit.vcomp), strict=True))
    gone = [WORDS[name] for name, value in sd.items() if value < 0.01]
    note = "The mixed model converged"
    if gone:
        note += f" with no variance left between {' and '.join(gone)}"
    (low, high), z, p = fit.conf_int()[1], fit.tvalues[1], fit.pvalues[1]
    return MixedModel(
        formula,
        True,
        *(mean, se, float(low), float(high), float(z), float(p)),
        *(float(sd[name]) for name in ("rater", "picture", "rater_effect")),
        float(sd.get("picture_effect", math.nan)),
        math.sqrt(fit.scale),
        None,
        f"{note}. Its p takes the standard error for known and is too small with few raters.",
    )


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
        warnings.simplefilter("ignore")  # of variances at zero, which the note tells
        return model.fit(reml=True, method=["powell"], xtol=1e-6, ftol=1e-12)


def _dummies(names: pd.Series) -> np.ndarray:
    return pd.get_dummies(names).to_numpy(float)


def _unfitted(formula: str, fallback: Contrast, said: str, why: str = "") -> MixedModel:
    note = f"{said}. {why or 'The test over raters and pictures stands in for it.'}"
    return MixedModel(formula, False, *[math.nan] * 11, fallback, note)
