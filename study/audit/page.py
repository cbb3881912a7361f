"""The part of `study.audit` that rates whole sessions on the page, in Chromium.

The page is served over a copy of the study, which is thrown away. Everything that reaches the
browser is recorded, for `study.audit.sent` to compare with the conditions.
"""

import json
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from tqdm import tqdm

from study.audit.sent import ASKED_FOR, Record, findings
from study.audit.served import copied, serving
from study.audit.stored import Finding, Picture
from study.db.engine import reading
from study.db.tables import Participant, RatingSession, Stimulus, Study, Trial
from study.errors import StudyError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

WIDTH, HEIGHT = 1280, 900
# The most steps that a session may have.
STEPS = 500
# Time for a step to appear, in milliseconds.
PATIENCE = 30_000


def audit_page(
    engine: sa.Engine, study: Study, pictures: Sequence[Picture], sessions: int
) -> list[Finding]:
    """What can be told from everything that the page sends in whole sessions.

    Raises:
        StudyError: no browser, or the page cannot be served or rated.
    """
    with _chromium() as browser, copied(engine, study) as copy, serving(copy) as address:
        raters = tqdm(range(1, sessions + 1), "sessions", unit="", disable=None)
        records = [_rate(browser, copy, address, f"auditor-{number}") for number in raters]
        return findings(copy, study, pictures, records)


@contextmanager
def _chromium() -> Iterator["Browser"]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise StudyError("--page needs a browser: pip install playwright.") from None
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


def _rate(browser: "Browser", engine: sa.Engine, address: str, rater: str) -> Record:
    """Go through the whole study as `rater`."""
    record = Record()
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("response", lambda response: _note(record, response))
    page.goto(f"{address}/?rater={rater}&{ASKED_FOR}")
    record.config = page.request.get(f"{address}/config").json()
    record.texts.append(json.dumps(record.config))
    step = None
    for _ in range(STEPS):
        heading = page.wait_for_function(
            """(step) => [...document.querySelectorAll("#rate .head")].find(
                (head) => head.offsetParent && head.dataset.step !== step)""",
            arg=step,
        )
        step = heading.evaluate("head => head.dataset.step")
        if step == "done":
            break
        record.texts.append(page.locator("#rate").evaluate("rate => rate.outerHTML"))
        record.buttons += page.locator(
            "#rate :is(a[download], [aria-label*=ownload], [aria-label*=hare])"
        ).count()
        if not record.refused and page.locator(".pair:visible").count():
            record.refused = _try_pictures(page, engine, address, rater)
        _go_on(page)
    else:
        raise StudyError("The page does not come to the end of the study.")
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
    """Record what a response says, and the numbers by which it could say more."""
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


def _try_pictures(page: "Page", engine: sa.Engine, address: str, rater: str) -> list[int]:
    """Status codes for pictures that this session was not given yet, or never will be."""
    with reading(engine) as session:
        later = session.execute(
            sa.select(Trial.first_token, Trial.second_token)
            .join(RatingSession)
            .join(Participant, Participant.rater_id == RatingSession.rater_id)
            .where(Participant.external_id == rater, Trial.given_at.is_(None))
        ).all()
        stimuli = session.scalars(sa.select(Stimulus.token)).all()
    tokens = [*(token for row in later for token in row), *stimuli, secrets.token_urlsafe(16)]
    return [page.request.get(f"{address}/picture/{token}").status for token in tokens]
