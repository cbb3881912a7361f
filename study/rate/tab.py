"""The tab "Rate": the page over `study.rate.steps`.

`study.rate.visits` and `study.rate.shown` decide what is shown at each step, `study.rate.routes`
takes the answers. tab.js holds what happens in the browser, tab.css the looks.
"""

import html
import json
from pathlib import Path
from typing import Any

import gradio as gr
from sqlalchemy import Engine

from study.db.engine import reading
from study.db.queries import check_frozen, find_study, storage_key
from study.plan.config import NARROW_SIDE, SHOWN_SIDE, StudyConfig
from study.plan.protocols import SCALE_MAX
from study.plan.questions import COMMENT_LIMIT
from study.rate.shown import Shown, heading, markdown, problem
from study.rate.visits import Visits

CSS = f"""#rate {{ --size: {SHOWN_SIDE}px; --narrow: {NARROW_SIDE}px; }}
{Path(__file__).with_suffix(".css").read_text(encoding="utf-8")}"""
HEAD = f"<script>\n{Path(__file__).with_suffix('.js').read_text(encoding='utf-8')}</script>"

Parts = dict[str, gr.components.Component]

# What a button sends to `study.rate.routes`: a JavaScript expression that knows the session's
# `token`, the `step`, and as `given` the value of the part that is named beside it.
SENDS = {
    "say": ("choice", "answer(token, step, given)"),
    "understood": ("step", 'answer(token, step, "read")'),
    "advance": ("rating", "answer(token, step, given)"),
    "left": ("step", 'answer(token, step, "left")'),
    "right": ("step", 'answer(token, step, "right")'),
    "after_feedback": ("step", "goOn(token)"),
    "finish": ("comment", "answer(token, step, given)"),
}
# The session checks what arrives, in its own words; Gradio's queue would let one rater's slow step
# hold up the others.
PLAIN: dict[str, Any] = {
    "preprocess": False,
    "postprocess": False,
    "queue": False,
    "api_visibility": "private",
    "show_progress": "hidden",
}


def browser_token(study_name: str) -> gr.BrowserState:
    """What a rater's browser keeps: the session's token. It belongs outside the tabs: within one,
    it is read only when that tab is opened.

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

    The tab, one of `tabs` with the id "rate", opens by itself for a rater who returns to an
    unfinished session. At `/?tab=rate`, and where the address identifies a rater, it is all there
    is: in the other tab a rater could colorize a picture of the study.

    Raises:
        StudyError: no such study, or its pictures are not those that were frozen.
    """
    with reading(engine) as database:
        study = find_study(database, study_name)
        check_frozen(database, study)
        pictures_from, created_at = study.pictures_from, study.created_at.isoformat()
        config = StudyConfig.frozen(study.config)
    with gr.Column(elem_id="rate"):
        parts = (
            {"tabs": tabs}
            | _welcome(config, pictures_from)
            | _asking(config)
            | _instructions(config)
            | _pair(config)
            | _feedback(config)
            | _comment(config)
            | _done(config)
            | _below(config)
        )
        # All that is shown travels as one value, which the browser spreads over its places: for
        # each output of its own the server would build a component anew, in tens of milliseconds.
        view = gr.JSON(visible=False, elem_id="view")
    _connect(page, parts, kept, view, Visits(engine, study_name, config), created_at)


def _connect(
    page: gr.Blocks,
    parts: Parts,
    kept: gr.BrowserState,
    view: gr.JSON,
    visits: Visits,
    created_at: str,
) -> None:
    """Let the buttons, and the opening of the page, do what they are for."""
    places = {name: part for name, part in parts.items() if name not in SENDS}
    outputs, names = list(places.values()), json.dumps(list(places))

    def on_load(token: object, handed: object, request: gr.Request) -> Shown:
        return visits.opened(token, request.query_params.multi_items(), handed)

    def on_start(
        agreed: object, made: object, handed: object, request: gr.Request
    ) -> tuple[object, Shown]:
        return visits.started(agreed, made, request.query_params.multi_items(), handed)

    key = json.dumps(f"{storage_key(visits.study_name)}-handed")

    def spread(event: gr.events.Dependency) -> None:
        js = f"(shown) => {{ hand({key}, shown.token); return spread(shown, {names}); }}"
        event.success(None, [view], outputs, js=js, **PLAIN)

    # A page that stayed open says which study's texts it shows.
    with_study = f"(agreed) => [agreed, {json.dumps(created_at)}, handed({key})]"
    consent, step, token = parts["consent"], parts["step"], parts["token"]
    opening = f"(kept) => [kept, handed({key})]"
    spread(page.load(on_load, [kept, token], [view], js=opening, **PLAIN))
    given = [consent, step, token]
    spread(parts["start"].click(on_start, given, [kept, view], js=with_study, **PLAIN))
    spread(parts["somebody_else"].click(visits.handed_on, [], [kept, view], **PLAIN))

    no_answer = json.dumps(problem(visits.config.texts.no_answer))
    for name, (given, sent) in SENDS.items():
        js = f"async (token, step, given) => spread(await {sent} ?? {no_answer}, {names})"
        parts[name].click(None, [token, step, parts[given]], outputs, js=js, **PLAIN)


# The panels, one of them visible at a time; each returns its parts by name.


def _welcome(config: StudyConfig, pictures_from: str) -> Parts:
    texts = config.texts
    with gr.Column(visible=False) as welcome:
        gr.HTML(heading("welcome", texts.consent_title))
        gr.Markdown(markdown(config.consent_text()))
        gr.Markdown(markdown(config.filled("pictures_from", pictures_from=pictures_from)))
        consent = gr.Checkbox(label=texts.consent_box, elem_id="consent")
        start = gr.Button(texts.start, variant="primary", elem_id="start")
    return {"welcome": welcome, "consent": consent, "start": start}


def _asking(config: StudyConfig) -> Parts:
    with gr.Column(visible=False) as asking:
        ask_heading = gr.HTML()
        ask = gr.Markdown(elem_id="ask")
        figure = gr.HTML()
        choice = gr.Radio(show_label=False, elem_id="choice")
        say = _button(config.texts.go_on)
    parts = {"asking": asking, "ask_heading": ask_heading, "ask": ask, "figure": figure}
    return parts | {"choice": choice, "say": say}


def _instructions(config: StudyConfig) -> Parts:
    with gr.Column(visible=False) as instructions:
        above = gr.HTML()
        gr.Markdown(markdown(config.instructions_text()), elem_id="instructions")
        gr.Markdown(markdown(config.filled("picture_size")))
        understood = _button(config.texts.go_on)
    return {"instructions": instructions, "instructions_heading": above, "understood": understood}


def _pair(config: StudyConfig) -> Parts:
    texts, on_scale = config.texts, config.task.answered_by == "scale"
    question, step = getattr(texts, config.task.question), config.scale.step
    scale = [index * step for index in range(int(SCALE_MAX / step) + 1)]
    with gr.Column(visible=False) as rating_panel:
        pair = gr.HTML(elem_id="pair")
        rating = gr.Radio(
            [(f"{value:g}", value) for value in scale],
            label=question,
            visible=on_scale,
            elem_id="rating",
        )
        ends = (texts.scale_low, texts.scale_high)
        anchors = "".join(f"<span>{html.escape(end)}</span>" for end in ends)
        gr.HTML(f'<div id="anchors">{anchors}</div>', visible=on_scale)
        advance = _button(texts.next, elem_id="next", visible=on_scale)
        with gr.Column(visible=not on_scale, elem_id="sides"):
            gr.Markdown(markdown(question), elem_id="question")
            with gr.Row():
                left = gr.Button(texts.left, elem_id="left", min_width=100)
                right = gr.Button(texts.right, elem_id="right", min_width=100)
        gr.Markdown(markdown(getattr(texts, config.task.keys)), elem_id="keys")
    parts = {"rating_panel": rating_panel, "pair": pair, "rating": rating}
    return parts | {"advance": advance, "left": left, "right": right}


def _feedback(config: StudyConfig) -> Parts:
    with gr.Column(visible=False) as telling:
        gr.HTML(heading("feedback", config.texts.practice_title, "feedback"))
        feedback = gr.Markdown(elem_id="feedback")
        after_feedback = _button(config.texts.next)
    return {"telling": telling, "feedback": feedback, "after_feedback": after_feedback}


def _comment(config: StudyConfig) -> Parts:
    texts = config.texts
    with gr.Column(visible=False) as commenting:
        gr.HTML(heading("comment", texts.comment_title))
        comment = gr.Textbox(
            label=texts.comment, lines=4, max_length=COMMENT_LIMIT, elem_id="comment"
        )
        finish = _button(texts.comment_button)
    return {"commenting": commenting, "comment": comment, "finish": finish}


def _done(config: StudyConfig) -> Parts:
    with gr.Column(visible=False) as done:
        gr.HTML(heading("done", config.texts.done_title, "stored"))
        stored = gr.Markdown(elem_id="stored")
        code = gr.Markdown(elem_id="code")
        back = gr.HTML(elem_id="back")
        debrief = gr.Markdown()
    return {"done": done, "stored": stored, "code": code, "back": back, "debrief": debrief}


def _below(config: StudyConfig) -> Parts:
    """What stands below every panel, and the two values that the browser sends back."""
    return {
        "problem": gr.HTML(elem_id="problem"),
        "somebody_else": gr.Button(config.texts.somebody_else, size="sm", visible=False),
        "token": gr.Textbox(visible=False),
        "step": gr.Textbox(visible=False),
    }


def _button(label: str, **options: Any) -> gr.Button:
    """A button that Enter presses wherever the focus is."""
    return gr.Button(label, variant="primary", elem_classes="go", **options)
