"""Quality checks of a finished session: each passes, fails or could not run.

None of them looks at how controls were rated: to drop raters for that would select on the outcome.
Nobody is dropped here at all; the report shows its figures with and without those who failed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.plan.config import Checks

PASSED, FAILED, COULD_NOT_RUN = "passed", "failed", "could not run"
OBVIOUS = 5  # an obviously wrong picture is to be rated below the middle of the scale
TOO_MANY = 0.5  # share of answers that may be too fast
PLATES_NEEDED = 1.0  # share of the plates to be read


@dataclass(frozen=True)
class Outcome:
    """What a check found, and why."""

    name: str
    outcome: str
    detail: str


def check(
    checks: Checks,
    *,
    rates: bool,
    values: Sequence[float],
    choices: Sequence[str | None],
    times: Sequence[float | None],
    attention: float | None,
    color_vision: str | None,
    plates: Mapping[str, bool],
) -> list[Outcome]:
    """The outcomes of all checks that the study asks for.

    Args:
        checks: which.
        rates: pairs are rated on a scale; else a fake is found.
        values: of the analysed trials: the rating, or 1 for fooled.
        choices: of the same trials: "left" or "right".
        times: of the same trials: milliseconds, None where the browser did not tell.
        attention: value of the attention check; None where there was none.
        color_vision: what the rater said of it.
        plates: whether each plate was read as people with normal colour vision do.
    """
    found = []
    if checks.attention:
        found.append(_attention(attention, rates=rates))
    if checks.too_fast_seconds:
        found.append(_too_fast(times, checks.too_fast_seconds))
    if checks.straight_lining:
        found.append(_straight_lining(values if rates else choices))
    if checks.color_vision:
        found.append(_color_vision(color_vision))
    if checks.plates:
        found.append(_plates(plates))
    return found


def _attention(value: float | None, *, rates: bool) -> Outcome:
    if value is None:
        return Outcome("attention", COULD_NOT_RUN, "no obviously wrong picture was shown")
    passed = value < (OBVIOUS if rates else 1)
    said = f"rated the obviously wrong picture {value:g}"
    if not rates:
        said = "found the obvious fake" if passed else "took the obvious fake for true"
    return Outcome("attention", PASSED if passed else FAILED, said)


def _too_fast(times: Sequence[float | None], seconds: float) -> Outcome:
    known = [time for time in times if time is not None]
    if len(known) < len(times) or not times:
        return Outcome("too fast", COULD_NOT_RUN, f"{len(known)} of {len(times)} answers timed")
    fast = sum(time < 1000 * seconds for time in known)
    failed = fast > TOO_MANY * len(known)
    detail = f"{fast} of {len(known)} answers within {seconds:g} s"
    return Outcome("too fast", FAILED if failed else PASSED, detail)


def _straight_lining(answers: Sequence) -> Outcome:
    if len(answers) < 3:
        return Outcome("one answer throughout", COULD_NOT_RUN, "fewer than 3 answers")
    different = len(set(answers))
    detail = f"{different} different answers in {len(answers)}"
    if different == 1:
        detail = f"the same answer {len(answers)} times"
    return Outcome("one answer throughout", PASSED if different > 1 else FAILED, detail)


def _color_vision(said: str | None) -> Outcome:
    outcome = {"normal": PASSED, "deficient": FAILED}.get(said, COULD_NOT_RUN)
    return Outcome("colour vision", outcome, f"said: {said or 'nothing'}")


def _plates(read: Mapping[str, bool]) -> Outcome:
    if not read:
        return Outcome("plates", COULD_NOT_RUN, "no plate was shown")
    right = sum(read.values())
    passed = right >= PLATES_NEEDED * len(read)
    return Outcome("plates", PASSED if passed else FAILED, f"{right} of {len(read)} plates read")
