"""The paragraph on methods that a report offers to a paper, from what the study froze."""

from collections.abc import Iterator
from importlib.metadata import version

from study.plan.config import NARROW_BELOW, NARROW_SIDE, SHOWN_SIDE, StudyConfig
from study.report.findings import Report
from study.report.sections import BOOTSTRAP, T_INTERVAL
from study.report.source import Frozen
from study.wording import count, day, listed, points

ANALYSIS_PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "pingouin", "krippendorff")
# The tests that a report may recommend, by their attribute of `study.stats.comparison.Tests`.
RECOMMENDED_TESTS = {
    "both": (
        "a quasi-F test (as a t test with Satterthwaite's degrees of freedom), which generalizes to"
        " other raters and other pictures"
    ),
    "raters": (
        "a by-participant t test within lists, which generalizes to other raters of these pictures"
    ),
    "pictures": "a by-item t test, which generalizes to other pictures and these raters",
}


def methods(study: Frozen, report: Report) -> list[str]:
    """Sentences, a list item for each paragraph; what the study file leaves open is in brackets."""
    config = study.config
    return [
        " ".join(_raters(config, report)),
        " ".join(_task(config)),
        " ".join(_pictures(study)),
        " ".join(_analysis(config, report)),
    ]


def _raters(config: StudyConfig, report: Report) -> Iterator[str]:
    sessions, recruitment = report.sessions, config.recruitment
    if report.simulated:
        yield "The raters were programs, not people."
    when = ""
    if sessions.begun:
        first, last = day(sessions.first), day(sessions.last)
        when = f" on {first}" if first == last else f" between {first} and {last}"
    yield (f"{count(sessions.begun, 'rater')} gave consent{when} and {sessions.finished} finished.")
    quota = config.quota
    yield f"Places were limited to {quota}." if quota else "The number of places was not limited."
    yield (
        f"Recruitment: {recruitment.where or '[where]'}. "
        f"Criteria: {recruitment.criteria or '[who could take part]'}. "
        f"Payment: {recruitment.payment or '[how much]'}."
    )
    ratings = sessions.unfinished_ratings
    if sessions.begun == sessions.finished:
        yield "No session was left unfinished."
    elif sessions.unfinished_included:
        yield "The ratings of unfinished sessions count."
    elif ratings:
        yield f"Unfinished sessions, with {count(ratings, 'rating')}, were left out."
    else:
        yield "Unfinished sessions had no ratings."
    if number := sessions.forgotten:
        were = "was" if number == 1 else "were"
        yield f"{count(number, 'rater')} {were} deleted later on, with all ratings."
    looked_at = _checks(config)
    yield f"Quality checks, fixed beforehand: {looked_at or 'none'}."
    failed = len(report.exclusions or ())
    if failed:
        yield (
            f"{count(failed, 'rater')} failed one or more of them; nobody was excluded from the"
            " main analysis, which was repeated without them."
        )
    else:
        yield f"{'Nobody failed one, and nobody' if looked_at else 'Nobody'} was excluded."


def _checks(config: StudyConfig) -> str:
    checks = config.checks
    named = {
        config.task.criterion: checks.attention,
        f"at most half of the answers within {checks.too_fast_seconds or 0:g} s": (
            checks.too_fast_seconds
        ),
        "more than one answer given": checks.straight_lining,
    } | {question.criterion: bool(question.check) for question in config.questions}
    return "; ".join(name for name, asked in named.items() if asked)


def _task(config: StudyConfig) -> Iterator[str]:
    yield config.task.methods.format(
        **config.texts.model_dump()
        | {
            "pairs": config.shown_pairs,
            "step": f"{config.scale.step:g}",
            "seconds": f"{config.exposure_seconds:g}",
        }
    )
    yield (
        f"Pictures were shown in a web browser at {SHOWN_SIDE} x {SHOWN_SIDE} CSS pixels (nominally"
        f" 1/96 inch each), or at {NARROW_SIDE} x {NARROW_SIDE} in windows narrower than"
        f" {NARROW_BELOW} CSS pixels, as on phones."
    )
    if config.checks.attention:
        yield "One pair was the attention check: a picture whose fruit was painted sky blue."
    if config.practice:
        pairs = "A practice pair" if config.practice == 1 else f"{config.practice} practice pairs"
        yield f"{pairs} with feedback came before and were not analysed."
    yield from (question.methods for question in config.questions if question.methods)


def _pictures(study: Frozen) -> Iterator[str]:
    config = study.config
    shown = listed(list(config.models))
    yield f"The {config.pairs} pictures ({study.pictures_from}) were drawn with seed {config.seed}."
    if config.task.beside == "control":
        yield f"Their generated colours were those that {shown} gave their luminance."
    elif config.mode == "paper":
        yield (
            "For all raters the same half was in true colours (control) and the other half in the"
            f" colours that {shown} gave their luminance."
        )
    else:
        yield (
            f"Each was made in true colours (control) and in those that {shown} gave its luminance."
            f" {len(config.shown_arms)} lists by a Latin square hold every picture once, in another"
            " version each; a rater saw one list."
        )
    elsewhere = [name for name, arm in config.models.items() if arm.made_elsewhere]
    if elsewhere:
        yield (
            f"The pictures of {listed(elsewhere)} were made by other programs; the manifest names"
            " their files by their SHA-256."
        )
    own = config.own_luminance
    if own:
        yield (
            f"Those of {listed(own)} keep their own luminance, by which raters may have told them;"
            " all other versions of a picture have its luminance. All have its size and files of"
            " equal length."
        )
    else:
        yield "All versions of a picture have its luminance, its size and files of equal length."
    for model, sha256 in study.manifest["weights"].items():
        yield f"SHA-256 of the weights of {model}: {sha256}."
    yield (
        "SHA-256 of the manifest, which names every picture, version and text by its own hash:"
        f" {study.manifest_sha256}."
    )


def _analysis(config: StudyConfig, report: Report) -> Iterator[str]:
    if config.task.answered_by == "sides":
        adjusted = "tests against chance and of the differences between models"
        yield (
            "For each model the share of fakes that were taken for true was computed for each rater"
            " and averaged by list and over the lists; by-participant t tests within lists compare"
            " it with chance (50%)."
        )
        if len(config.models) > 1:
            yield f"Every two models were compared by {RECOMMENDED_TESTS['both']}."
    else:
        adjusted = "quasi-F tests"
        compared = f"The difference true colours minus {report.label(report.models[0])}"
        if len(config.models) > 1:
            compared = "The difference of every two conditions"
        named = "; and by ".join(RECOMMENDED_TESTS[key] for key in report.recommended)
        yield (
            "Ratings were averaged by rater and condition, and the raters' means by list and over"
            f" the lists. {compared} was tested by {named}. Equivalence was tested by two one-sided"
            " t tests, with the standard error of the quasi-F test, against a margin of"
            f" {points(config.margin)} that was fixed beforehand."
        )
    yield (
        f"{T_INTERVAL} {BOOTSTRAP} Agreement is given as ICC(2,1), ICC(2,k) and Krippendorff's"
        " alpha."
    )
    if report.several:
        yield (
            f"The p values of the {adjusted}, {report.family} in all, were adjusted by Holm's"
            " method; no other p value was."
        )
    packages = ", ".join(f"{name} {version(name)}" for name in ANALYSIS_PACKAGES)
    yield f"Analysed with {packages}."
