"""The "Rate" tab: the web page over study/rate/session.py.

study/rate/shown.py says what is shown at each step, study/rate/routes.py takes the answers. tab.js
has what
happens in the browser, tab.css the looks.
"""

import html
import json
import re
from pathlib import Path

import gradio as gr
from sqlalchemy import Engine

from study.db.engine import reading
from study.db.queries import check_frozen, find_study, storage_key
from study.errors import StudyError
from study.forget import is_number
from study.plan.config import StudyConfig
from study.plan.protocols import SCALE_MAX
from study.plan.questions import COMMENT_LIMIT
from study.rate import session, shown
from study.rate.session import Identity
from study.rate.shown import Shown, heading, markdown

CSS = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
HEAD = f"<script>\n{Path(__file__).with_suffix('.js').read_text(encoding='utf-8')}</script>"
SIZE, NARROW = (int(re.search(rf"--{name}: (\d+)px", CSS)[1]) for name in ("size", "narrow"))
MAX_ID = 100  # characters of each parameter that identifies a rater
VISIT = ("STUDY_ID", "SESSION_ID")  # what a recruiting service says besides who comes


def browser_token(study_name: str) -> gr.BrowserState:
    """What a rater's browser keeps: the session's token. To be placed outside the tabs: within
    one, it is read only when that tab is opened.

    The token is a secret of that browser alone, so that encrypting it there, with a key that
    every visitor is sent, would protect nothing.
    """
    secret = "not-a-secret"  # noqa: S105
    return gr.BrowserState("", storage_key=storage_key(study_name), secret=secret)


def build(
    page: gr.Blocks,
    tabs: gr.Tabs,
    kept: gr.BrowserState,
    engine: Engine,
    study_name: str,
) -> None:
    """Put the tab's contents into `page`, for the study called `study_name`.

    The tab, one of `tabs` with the id "rate", opens by itself for a rater who comes back to an
    unfinished session. At `/?tab=rate`, and where the address identifies a rater, it is all there
    is: in the other a rater could colorize a picture of the study.

    Raises:
        StudyError: no such study, or its pictures are not those that were frozen.
    """
    with reading(engine) as database:
        study = find_study(database, study_name)
        check_frozen(study)
        pictures_from, created_at = study.pictures_from, study.created_at.isoformat()
        config = StudyConfig.frozen(study.config)
    texts, rates = config.texts, config.task.answered_by == "scale"

    with gr.Column(elem_id="rate"):
        with gr.Column(visible=False) as welcome:
            gr.HTML(heading("welcome", texts.consent_title))
            gr.Markdown(markdown(config.consent_text()))
            gr.Markdown(markdown(texts.pictures_from.format(pictures_from=pictures_from)))
            consent = gr.Checkbox(label=texts.consent_box, elem_id="consent")
            start = gr.Button(texts.start, variant="primary", elem_id="start")
        with gr.Column(visible=False) as asking:
            ask_heading = gr.HTML()
            ask = gr.Markdown(elem_id="ask")
            figure = gr.HTML()
            choice = gr.Radio(show_label=False, elem_id="choice")
            say = _button(texts.go_on)
        with gr.Column(visible=False) as instructions:
            instructions_heading = gr.HTML()
            gr.Markdown(markdown(config.instructions_text()), elem_id="instructions")
            gr.Markdown(markdown(texts.picture_size.format(size=SIZE, narrow=NARROW)))
            understood = _button(texts.go_on)
        with gr.Column(visible=False) as rating_panel:
            pair = gr.HTML(elem_id="pair")
            rating = gr.Radio(
                [(f"{value:g}", value) for value in _scale(config)],
                label=getattr(texts, config.task.question),
                visible=rates,
                elem_id="rating",
            )
            ends = (texts.scale_low, texts.scale_high)
            anchors = "".join(f"<span>{html.escape(end)}</span>" for end in ends)
            gr.HTML(f'<div id="anchors">{anchors}</div>', visible=rates)
            advance = _button(texts.next, elem_id="next", visible=rates)
            with gr.Column(visible=not rates, elem_id="sides"):
                gr.Markdown(markdown(getattr(texts, config.task.question)), elem_id="question")
                with gr.Row():
                    left = gr.Button(texts.left, elem_id="left", min_width=100)
                    right = gr.Button(texts.right, elem_id="right", min_width=100)
            gr.Markdown(markdown(getattr(texts, config.task.keys)), elem_id="keys")
        with gr.Column(visible=False) as telling:
            gr.HTML(heading("feedback", texts.practice_title, "feedback"))
            feedback = gr.Markdown(elem_id="feedback")
            after_feedback = _button(texts.next)
        with gr.Column(visible=False) as commenting:
            gr.HTML(heading("comment", texts.comment_title))
            comment = gr.Textbox(
                label=texts.comment,
                lines=4,
                max_length=COMMENT_LIMIT,
                elem_id="comment",
            )
            finish = _button(texts.comment_button)
        with gr.Column(visible=False) as done:
            gr.HTML(heading("done", texts.done_title, "stored"))
            stored = gr.Markdown(elem_id="stored")
            code = gr.Markdown(elem_id="code")
            back = gr.HTML(elem_id="back")
            debrief = gr.Markdown()
        problem = gr.HTML(elem_id="problem")
        somebody_else = gr.Button(texts.somebody_else, size="sm", visible=False)
        token, step = gr.Textbox(visible=False), gr.Textbox(visible=False)
        # All that is shown travels as one value, which the browser spreads over its places: for
        # each output of its own the server would build a component anew, in tens of milliseconds.
        view = gr.JSON(visible=False, elem_id="view")

    places = {
        "tabs": tabs,
        "welcome": welcome,
        "asking": asking,
        "ask_heading": ask_heading,
        "ask": ask,
        "figure": figure,
        "choice": choice,
        "instructions": instructions,
        "instructions_heading": instructions_heading,
        "rating_panel": rating_panel,
        "pair": pair,
        "rating": rating,
        "telling": telling,
        "feedback": feedback,
        "commenting": commenting,
        "done": done,
        "stored": stored,
        "code": code,
        "back": back,
        "debrief": debrief,
        "somebody_else": somebody_else,
        "problem": problem,
        "token": token,
        "step": step,
        "consent": consent,
    }

    def identity(request: gr.Request) -> Identity | None:
        """Whom the address names, if anybody.

        Raises:
            StudyError: what it says is no name, such as a recruiting service's placeholder.
        """
        given = dict(request.query_params)
        if not given.keys() & {"PROLIFIC_PID", "rater", *VISIT}:
            return None
        name = given.get("PROLIFIC_PID", given.get("rater", ""))
        said = [str(part).strip() for part in (name, *(given.get(key, "") for key in VISIT))]
        plain = all(
            len(part) <= MAX_ID and part.isprintable() and "{{" not in part for part in said
        )
        if not said[0] or is_number(said[0]) or not plain:
            raise StudyError(texts.bad_link)
        return Identity(*said)

    def on_load(kept_token: object, request: gr.Request) -> Shown:
        recruited = dict(request.query_params).get("tab") == "rate"
        selected = {"tabs": gr.update(selected="rate")}
        try:
            who = identity(request)
        except StudyError as error:
            return shown.problem(error) | selected
        try:
            known = session.known(engine, study_name, who) if who else kept_token
            found = session.resume(engine, str(known or ""), study_name)
            now = shown.show(found, config) | {"token": str(known or "")}
        except StudyError:
            found, now = None, shown.problem(texts.unreachable)
        comes_back = found is not None and not isinstance(found, session.Finished)
        if found is not None and not who:
            now["somebody_else"] = gr.update(visible=True)
        return now | (selected if who or recruited or comes_back else {})

    def on_start(agreed: object, made: object, request: gr.Request) -> tuple[object, Shown]:
        try:
            who = identity(request)
            new = session.begin(engine, study_name, consent=agreed, identity=who, created_at=made)
            now = shown.show(session.resume(engine, new, study_name), config)
        except StudyError as error:
            return gr.skip(), shown.problem(error)
        return gr.skip() if who else new, now | {"token": new}

    def on_somebody_else() -> tuple[str, Shown]:
        return "", shown.show(None, config) | {"token": "", "consent": False}

    # preprocess=False: the session judges what arrives, in its own words. Without Gradio's queue,
    # which would let one rater's slow step hold up the others'.
    common = {"preprocess": False, "postprocess": False, "queue": False}
    common |= {"api_visibility": "private", "show_progress": "hidden"}
    outputs, names = list(places.values()), json.dumps(list(places))

    def spread(event: gr.events.Dependency) -> None:
        event.success(None, [view], outputs, js=f"(shown) => spread(shown, {names})", **common)

    spread(page.load(on_load, [kept], [view], **common))
    # a page that stayed open tells which study's texts it shows
    js = f"(agreed) => [agreed, {json.dumps(created_at)}]"
    spread(start.click(on_start, [consent, step], [kept, view], js=js, **common))
    spread(somebody_else.click(on_somebody_else, [], [kept, view], **common))

    no_answer = json.dumps(shown.problem(texts.no_answer))

    def asks(button: gr.Button, given: gr.components.Component, what: str) -> None:
        """Let `button` send `what` to `study.rate.routes`, a JavaScript expression that knows of
        `token`, `step` and what is `given`."""
        js = f"async (token, step, given) => spread(await {what} ?? {no_answer}, {names})"
        button.click(None, [token, step, given], outputs, js=js, **common)

    def answers(button: gr.Button, given: gr.components.Component, value: str) -> None:
        asks(button, given, f"answer(token, step, {value})")

    asks(after_feedback, step, "resume(token)")
    answers(say, choice, "given")
    answers(understood, choice, '"read"')
    answers(advance, rating, "given")
    answers(left, rating, '"left"')
    answers(right, rating, '"right"')
    answers(finish, comment, "given")


def _scale(config: StudyConfig) -> list[float]:
    step = config.scale.step
    return [index * step for index in range(int(SCALE_MAX / step) + 1)]


def _button(label: str, **options) -> gr.Button:
    """A button that Enter presses wherever the focus is."""
    return gr.Button(label, variant="primary", elem_classes="go", **options)
