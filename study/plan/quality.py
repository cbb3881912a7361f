"""Quality checks of a finished session: each passes, fails or could not run.

None of them looks at the ratings of controls: to drop raters for those would select on the outcome.
No rater is dropped here at all; the report gives its figures with and without those who failed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.plan.config import StudyConfig
from study.plan.protocols import Protocol
from study.plan.questions import Question

PASSED, FAILED, COULD_NOT_RUN = "passed", "failed", "could not run"
TOO_MANY = 0.5  # Share of answers that may be too fast.


@dataclass(frozen=True)
class Outcome:
    """What a check found, and why."""

    name: str
    outcome: str
    detail: str


def check(
    config: StudyConfig,
    *,
    values: Sequence[float],
    choices: Sequence[str | None],
    times: Sequence[float | None],
    attention: float | None,
    answers: Mapping[str, str],
) -> list[Outcome]:
    """The outcomes of all checks that the study asks for.

    Args:
        config: the study.
        values: stored values of the analysed trials.
        choices: of the same trials: "left" or "right", None where they are rated on the scale.
        times: of the same trials: response times in milliseconds, None where unknown.
        attention: value of the attention check; None where there was none.
        answers: {step of a question: the answer}.
    """
    checks, task, found = config.checks, config.task, []
    if checks.attention:
        found.append(_attention(attention, task))
    if checks.too_fast_seconds:
        found.append(_too_fast(times, checks.too_fast_seconds))
    if checks.straight_lining:
        found.append(_straight_lining(values if task.answered_by == "scale" else choices))
    return found + [
        _answered(question, answers.get(question.step))
        for question in config.questions
        if question.check
    ]


def _attention(value: float | None, task: Protocol) -> Outcome:
    if value is None:
        return Outcome("attention", COULD_NOT_RUN, "no obviously wrong picture was shown")
    passed = value < task.obvious
    detail = (task.obvious_found if passed else task.obvious_missed).format(value=value)
    return Outcome("attention", PASSED if passed else FAILED, detail)


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


def _answered(question: Question, said: str | None) -> Outcome:
    outcome = COULD_NOT_RUN
    if said in question.passed + question.failed:
        outcome = PASSED if said in question.passed else FAILED
    return Outcome(question.check, outcome, f"said: {said or 'nothing'}")
