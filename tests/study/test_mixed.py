"""The crossed mixed model against lme4's published figures, and where it cannot be fitted."""

import math

import numpy as np
import pytest

from study.simulate.population import Population, draw
from study.stats import mixed
from study.stats.mixed import fit_crossed
from study.stats.ratings import Cells
from tests.study.test_contrasts import mixed_model, quasi_f, study

# Davies & Goldsmith 1972, lme4's data set Penicillin: mm, 24 plates by 6 samples.
PENICILLIN = """
27 23 26 23 23 21  27 23 26 23 23 21  25 21 25 24 24 20  26 23 25 23 23 20
25 22 26 22 23 20  24 22 25 23 22 19  24 20 23 21 22 19  26 22 26 24 24 21
24 21 24 22 22 20  24 21 24 23 22 19  26 23 26 24 24 21  25 22 26 24 24 20
26 24 26 24 25 22  26 23 26 23 23 20  26 23 25 24 24 22  25 22 25 23 23 20
25 21 24 23 23 20  25 22 24 23 23 19  24 21 23 21 21 19  26 23 26 24 24 21
25 21 24 22 22 18  25 22 25 22 22 20  24 21 24 22 24 19  24 21 24 22 21 18
"""


def test_lme4_penicillin():
    """Bates et al., lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin), REML."""
    diameter = np.array(PENICILLIN.split(), dtype=float)
    plate, sample = np.divmod(np.arange(144), 6)
    effects = {"plate": np.eye(24)[plate], "sample": np.eye(6)[sample]}
    fit = fit_crossed(diameter, np.ones((144, 1)), effects)
    assert fit.converged
    assert np.sqrt(fit.vcomp) == pytest.approx([0.8467, 1.9316], abs=5e-4)
    assert math.sqrt(fit.scale) == pytest.approx(0.5499, abs=5e-4)
    assert fit.fe_params[0] == pytest.approx(22.9722, abs=5e-4)
    assert -2 * fit.llf == pytest.approx(330.8606, abs=5e-3)


def test_finds_what_was_put_in():
    of = Population(raters=24, pictures=16, effect=2, noise_sd=1)
    drawn = draw(of, 1, np.random.default_rng(1))
    model = mixed.mixed_model(Cells(drawn.y[0], drawn.lists))
    assert model.converged
    assert model.note.startswith("The mixed model converged")
    assert abs(model.mean - 2) < 3 * model.se
    found = model.sd_rater, model.sd_picture, model.sd_rater_effect, model.sd_picture_effect
    assert found == pytest.approx((1, 1.5, 0.7, 0.7), abs=0.5)
    assert model.sd_residual == pytest.approx(1, abs=0.1)


def test_the_papers_design_has_no_effect_over_pictures():
    table = study(8)
    model = mixed_model(table[table["list"] == "L0"])
    assert model.formula.endswith("(1 | picture)")
    assert model.converged
    assert math.isnan(model.sd_picture_effect)


@pytest.mark.parametrize(
    "table",
    [study()[:0], study(1), study().assign(rating=7.0), study().query("condition == 'control'")],
    ids=["empty", "one rater", "all equal", "one condition"],
)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_fitted_says_so(table):
    model = mixed_model(table)
    assert not model.converged
    assert math.isnan(model.p)
    assert model.note.startswith("The mixed model cannot be fitted. ")
    assert quasi_f(table).note in model.note


@pytest.mark.filterwarnings("error")
def test_a_fit_without_a_standard_error_counts_as_none_and_does_not_warn():
    model = mixed_model(study(3, 4, seed=52))
    assert not model.converged
    assert "The quasi-F test stands in for it." in model.note


def test_without_convergence_the_quasi_f_test_stands_in(monkeypatch):
    def fails(*_):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("study.stats.mixed.fit_crossed", fails)
    model = mixed_model(study())
    assert not model.converged
    assert "The quasi-F test stands in for it." in model.note


def test_too_large_a_table_is_not_begun():
    table = study(60, 100)
    assert "more than 5000 ratings" in mixed_model(table).note
