"""The part of `study.audit` that rates whole sessions on a running page, in Chromium.

Everything that reaches the browser is recorded and compared with what the database knows of the
condition. What the raters that this needs leave is deleted afterwards.
"""

import json
import re
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from scipy import stats
from tqdm import tqdm

from study.audit.stored import SUSPICIOUS, Finding, Picture
from study.db.engine import reading
from study.db.queries import storage_key
from study.db.tables import Participant, RatingSession, Stimulus, Study, Trial
from study.errors import StudyError
from study.forget import forget
from study.status import status

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

WIDTH, HEIGHT = 1280, 900
STEPS = 500  # that a session may have at most
AUDITOR = "audit-of-the-page-"  # how the names of its raters begin
PATIENCE = 30_000  # milliseconds for a step to appear
WORDS = ("control", "generated", "condition", "attention", "stimulus")
ASKED_FOR = "condition=control&list=A&arm=control"  # in the address; must change nothing


@dataclass
class Record:
    """What reached the browser in one session.

    Attributes:
        texts: all answers that are text, and the page as it was shown.
        fields: {the trial's step: {name of a field: its number, or the length of its text}}.
        pictures: {a picture's token: likewise, of the answer that brought it}.
        refused: answers' codes for pictures that the session had not been given.
        buttons: that save or share.
        config: what the page tells of itself.
    """

    texts: list[str] = field(default_factory=list)
    fields: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    pictures: dict[str, dict[str, float]] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    buttons: int = 0
    config: dict = field(default_factory=dict)


def audit_page(
    engine: sa.Engine, study: Study, pictures: Sequence[Picture], url: str, sessions: int
) -> list[Finding]:
    """What can be told from everything that a running page sends in whole sessions.

    Raises:
        StudyError: no browser, no such page, or it serves another study.
    """
    _forget_auditors(engine, study)  # whom an audit that was killed left behind
    raters = [f"{AUDITOR}{secrets.token_hex(8)}" for _ in range(sessions)]
    before = _sizes(engine, study)
    try:
        with _chromium() as browser:
            progress = tqdm(raters, "sessions", unit="", disable=None)
            records = [_rate(browser, engine, study, url, rater) for rater in progress]
        conditions = _conditions(engine, study, raters)
        after = _sizes(engine, study)
    finally:
        _forget_auditors(engine, study)
    return [
        _words(study, pictures, records),
        _fields(records, conditions),
        _refused(records),
        _parameters(before, after),
        _settings(records),
    ]


@contextmanager
def _chromium() -> Iterator["Browser"]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise StudyError("--url needs a browser: pip install playwright.") from None
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
        except Error:
            raise StudyError("Chromium cannot be started: playwright install chromium.") from None
        try:
            yield browser
        except Error as error:
            raise StudyError(f"The page could not be rated: {error.message}.") from None
        finally:
            browser.close()


def _rate(browser: "Browser", engine: sa.Engine, study: Study, url: str, rater: str) -> Record:
    """Go through the whole study as `rater`."""
    record = Record()
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("response", lambda response: _note(record, response))
    page.goto(f"{url.rstrip('/')}/?rater={rater}&{ASKED_FOR}")
    record.config = page.request.get(f"{url.rstrip('/')}/config").json()
    record.texts.append(json.dumps(record.config))
    parts = [part["props"] for part in record.config["components"]]
    if storage_key(study.name) not in [part.get("storage_key") for part in parts]:
        raise StudyError(f"The page at {url} does not run the study {study.name!r}.")
    step, started, tried = None, False, False
    for _ in range(STEPS):
        heading = page.wait_for_function(
            """(step) => [...document.querySelectorAll("#rate .head")].find(
                (head) => head.offsetParent && head.dataset.step !== step)""",
            arg=step,
        )
        step = heading.evaluate("head => head.dataset.step")
        if step == "done":
            break
        if started and not _auditors(engine, study):
            raise StudyError(f"The page at {url} uses another database; give that with --db.")
        started = True
        record.texts.append(page.locator("#rate").evaluate("rate => rate.outerHTML"))
        record.buttons += page.locator(
            "#rate :is(a[download], [aria-label*=ownload], [aria-label*=hare])"
        ).count()
        if not tried and page.locator(".pair:visible").count():
            tried = True
            record.refused = _try_pictures(page, engine, study, rater, url)
        _go_on(page)
    else:
        raise StudyError(f"The page at {url} does not come to the end of the study.")
    context.close()
    return record


def _go_on(page: "Page") -> None:
    """Answer what is in sight."""
    if page.locator("#start:visible").count():
        page.locator("#consent input").check()
        page.locator("#start").click()
        return
    if page.locator(".pair:visible").count():
        if page.locator("#show:visible").count():
            page.locator("#show").click()
        page.locator(".pair[data-phase=answer]:visible").wait_for()
        if page.locator("#left:visible").count():
            page.locator("#left").click()
            return
        page.locator("#rating label").nth(6).click()
    elif page.locator("#choice:visible").count():
        page.locator("#choice label").first.click()
    page.locator("#rate .go:visible").first.click()


def _note(record: Record, response: "Response") -> None:
    """Keep what a response says, and by which numbers it could say more."""
    token = response.url.rpartition("/")[2].partition("?")[0]
    if "/picture/" in response.url:
        headers = response.headers
        lengths = {f"header {name}": float(len(value)) for name, value in headers.items()}
        size = {"bytes": float(len(response.body())), "headers": float(len(headers))}
        record.pictures[token] = lengths | size
        return
    if response.request.method != "POST" or response.request.resource_type != "fetch":
        return
    text = response.text()
    record.texts += [text, *response.headers.values()]
    found = re.search(r'data-step=\\"([\w-]{16,})\\"', text)
    if found:  # the answer that brings a pair
        fields = dict(_flatten(json.loads(text)))
        fields["bytes"] = float(len(text))
        record.fields[found[1]] |= fields


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number in an answer, and every text's length, by its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flatten(inner, f"{name}[{index}]")
    elif isinstance(value, str):
        yield name, float(len(value))
    elif value is not None:
        yield name, float(value)


def _try_pictures(page: "Page", engine: sa.Engine, study: Study, rater: str, url: str) -> list[int]:
    """Codes of the answers for pictures that are not this session's to see yet, or ever."""
    with reading(engine) as session:
        later = session.execute(
            sa.select(Trial.first_token, Trial.second_token)
            .join(RatingSession)
            .join(Participant, Participant.rater_id == RatingSession.rater_id)
            .where(Participant.external_id == rater, Trial.given_at.is_(None))
        ).all()
        stimuli = session.scalars(
            sa.select(Stimulus.token).where(Stimulus.study_id == study.id)
        ).all()
    tokens = [*(token for row in later for token in row), *stimuli, secrets.token_urlsafe(16)]
    return [page.request.get(f"{url.rstrip('/')}/picture/{token}").status for token in tokens]


def _conditions(
    engine: sa.Engine, study: Study, raters: Sequence[str]
) -> dict[str, tuple[str, tuple[str, str]]]:
    """{a trial's token: condition and its pictures' tokens}."""
    with reading(engine) as session:
        rows = session.execute(
            sa.select(
                Trial.token,
                Stimulus.condition,
                Stimulus.purpose,
                Trial.first_token,
                Trial.second_token,
                Trial.side,
            )
            .join_from(Trial, Stimulus)
            .join(RatingSession, RatingSession.id == Trial.session_id)
            .join(Participant, Participant.rater_id == RatingSession.rater_id)
            .where(Participant.external_id.in_(raters), RatingSession.study_id == study.id)
        ).all()
    conditions = {}
    for row in rows:
        if row.purpose == "main":
            # where both versions are shown it is the side of the fake that must not be told
            hidden = row.condition if row.side is None else row.side
            conditions[row.token] = (hidden, (row.first_token, row.second_token))
    return conditions


def _sizes(engine: sa.Engine, study: Study) -> dict[str, int]:
    """Finished and live sessions of people on each list."""
    lists = status(engine, study.name).lists
    return {name: counts.finished + counts.live for name, counts in lists.items()}


def _auditors(engine: sa.Engine, study: Study) -> Sequence[int]:
    """The numbers of the raters of an audit."""
    with reading(engine) as session:
        wanted = (Participant.external_id.startswith(AUDITOR), Participant.study_id == study.id)
        return session.scalars(sa.select(Participant.rater_id).where(*wanted)).all()


def _forget_auditors(engine: sa.Engine, study: Study) -> None:
    for number in _auditors(engine, study):
        forget(engine, number, event="audited")  # is no rater who was deleted


# The findings


def _words(study: Study, pictures: Sequence[Picture], records: Sequence[Record]) -> Finding:
    sent = "\n".join(text for record in records for text in record.texts)
    words = {*WORDS, study.manifest_sha256, *_hashes(study.manifest)}
    words |= {name for picture in pictures for name in (picture.name, picture.token)}
    found = sorted(word for word in words if re.search(rf"\b{re.escape(word)}\b", sent))
    return Finding(
        f"none of {len(words)} words that tell (conditions, pictures, hashes, tokens) is sent",
        not found,
        f"{len(sent):,} characters searched, found: {', '.join(found) or 'none'}",
    )


def _hashes(manifest: dict) -> set[str]:
    return set(re.findall(r"\b[0-9a-f]{64}\b", json.dumps(manifest)))


def _fields(records: Sequence[Record], conditions: dict) -> Finding:
    """Whether a number or a length in the answers follows the condition, by rank tests."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    trials = 0
    for record in records:
        for step, fields in record.fields.items():
            if step not in conditions:
                continue
            hidden, tokens = conditions[step]
            trials += 1
            for place, token in enumerate(tokens):
                for name, value in record.pictures.get(token, {}).items():
                    values[f"picture {place + 1} {name}"][hidden].append(value)
            for name, value in fields.items():
                values[name][hidden].append(value)
    suspicious, varying = [], 0
    for name, by_condition in values.items():
        one, *others = by_condition.values()
        if not others or len(set(one) | set(others[0])) == 1:
            continue
        varying += 1
        if stats.mannwhitneyu(one, others[0]).pvalue < SUSPICIOUS / len(values):
            suspicious.append(name)
    return Finding(
        "no field of the answers follows the condition",
        trials > 0 and not suspicious,
        f"{len(values)} fields in {trials} trials, {varying} of them vary,"
        f" suspicious: {', '.join(suspicious) or 'none'}",
    )


def _refused(records: Sequence[Record]) -> Finding:
    codes = [code for record in records for code in record.refused]
    return Finding(
        "no picture can be fetched that the session was not given",
        bool(codes) and set(codes) == {404},
        f"{len(codes)} tried, answers: {', '.join(map(str, sorted(set(codes)))) or 'none'}",
    )


def _parameters(before: dict[str, int], after: dict[str, int]) -> Finding:
    """All raters asked for the same list and condition; the lists must not have become more
    uneven by it than by one."""
    apart = [max(sizes.values()) - min(sizes.values()) for sizes in (before, after)]
    told = ", ".join(f"{name}: {before[name]} to {count}" for name, count in after.items())
    return Finding(
        "a parameter of the address chooses neither list nor condition",
        apart[1] <= max(1, apart[0]),
        f"all asked for {ASKED_FOR}; sessions on each list: {told}",
    )


def _settings(records: Sequence[Record]) -> Finding:
    config = records[0].config
    on = [name for name in ("run_history", "analytics_enabled") if config.get(name)]
    buttons = sum(record.buttons for record in records)
    return Finding(
        "Gradio's run history, analytics, download and share buttons are off",
        not on and not buttons,
        f"{buttons} buttons, on: {', '.join(on) or 'none'}",
    )
