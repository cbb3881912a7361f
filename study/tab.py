"""The "Rate" tab: the web page over study/session.py.

Nothing here or in what it sends knows the condition: pictures are fetched by random tokens that
are a rater's own, a pair at a time. tab.js has what happens in the browser, tab.css the looks.
"""

import base64
import html
import re
from pathlib import Path

import gradio as gr
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Engine

from study import session
from study.config import StudyConfig
from study.session import Identity
from study.store import StudyError, check_frozen, find_study, reading

CSS = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
HEAD = f"<script>\n{Path(__file__).with_suffix('.js').read_text(encoding='utf-8')}</script>"
SIZE, NARROW = (int(re.search(rf"--{name}: (\d+)px", CSS)[1]) for name in ("size", "narrow"))
GRAYS = 11  # of the strip that a good screen tells apart
MAX_ID = 100  # characters of each parameter that identifies a rater
VISIT = ("STUDY_ID", "SESSION_ID")  # what a recruiting service says besides who comes
MOST_ANSWERS = parse("120/minute")  # of one session


def browser_token(study_name: str) -> gr.BrowserState:
    """What a rater's browser keeps: the session's token. To be placed outside the tabs: within
    one, it is read only when that tab is opened.

    The token is a secret of that browser alone, so that encrypting it there, with a key that
    every visitor is sent, would protect nothing.
    """
    key, secret = f"rating-session-{study_name}", "not-a-secret"  # noqa: S105
    return gr.BrowserState("", storage_key=key, secret=secret)


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
        pictures_from = study.pictures_from
        config = StudyConfig.frozen(study.config)
    texts, rates = config.texts, config.protocol == "rating"

    with gr.Column(elem_id="rate"):
        with gr.Column(visible=False) as welcome:
            gr.HTML(_heading("welcome", texts.consent_title))
            gr.Markdown(_markdown(config.consent_text()))
            gr.Markdown(_markdown(texts.pictures_from.format(pictures_from=pictures_from)))
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
            gr.Markdown(_markdown(config.instructions_text()), elem_id="instructions")
            gr.Markdown(_markdown(texts.picture_size.format(size=SIZE, narrow=NARROW)))
            understood = _button(texts.go_on)
        with gr.Column(visible=False) as rating_panel:
            pair = gr.HTML(elem_id="pair")
            rating = gr.Radio(
                [(f"{value:g}", value) for value in _scale(config)],
                label=texts.question,
                visible=rates,
                elem_id="rating",
            )
            ends = (texts.scale_low, texts.scale_high)
            anchors = "".join(f"<span>{html.escape(end)}</span>" for end in ends)
            gr.HTML(f'<div id="anchors">{anchors}</div>', visible=rates)
            advance = _button(texts.next, elem_id="next", visible=rates)
            with gr.Column(visible=not rates, elem_id="sides"):
                gr.Markdown(_markdown(texts.question_real_or_fake), elem_id="question")
                with gr.Row():
                    left = gr.Button(texts.left, elem_id="left", min_width=100)
                    right = gr.Button(texts.right, elem_id="right", min_width=100)
            keys = texts.keys if rates else texts.keys_real_or_fake
            gr.Markdown(_markdown(keys), elem_id="keys")
        with gr.Column(visible=False) as telling:
            gr.HTML(_heading("feedback", texts.practice_title, "feedback"))
            feedback = gr.Markdown(elem_id="feedback")
            after_feedback = _button(texts.next)
        with gr.Column(visible=False) as commenting:
            gr.HTML(_heading("comment", texts.comment_title))
            comment = gr.Textbox(
                label=texts.comment,
                lines=4,
                max_length=session.COMMENT_LIMIT,
                elem_id="comment",
            )
            finish = _button(texts.comment_button)
        with gr.Column(visible=False) as done:
            gr.HTML(_heading("done", texts.done_title, "stored"))
            stored = gr.Markdown(elem_id="stored")
            code = gr.Markdown(elem_id="code")
            back = gr.HTML(elem_id="back")
            debrief = gr.Markdown()
        problem = gr.HTML(elem_id="problem")
        somebody_else = gr.Button(texts.somebody_else, size="sm", visible=False)
        token, step = gr.Textbox(visible=False), gr.Textbox(visible=False)
        measured = gr.JSON(visible=False)
        # All that is shown travels as one value, which the browser spreads over its places: for
        # each output of its own the server would build a component anew, in tens of milliseconds.
        view = gr.JSON(visible=False, elem_id="view")

    answered = FixedWindowRateLimiter(MemoryStorage())
    panels = [welcome, asking, instructions, rating_panel, telling, commenting, done]
    contents = [ask_heading, ask, figure, choice, instructions_heading, pair, rating, feedback]
    contents += [comment, stored, code, back, debrief, somebody_else, problem, token, step, consent]
    places = [tabs, *panels, *contents]

    def only(panel: gr.Column) -> dict:
        hidden = {other: gr.update(visible=other is panel) for other in panels}
        return hidden | {problem: "", somebody_else: gr.update(visible=False)}

    def sent(shown: dict) -> list:
        return [shown.get(place, gr.skip()) for place in places]

    def show(seen: session.View | session.Feedback | None) -> dict:
        match seen:
            case session.Question(kind="instructions"):
                heading = _heading(seen.step, texts.instructions_title, "instructions")
                return only(instructions) | {instructions_heading: heading, step: seen.step}
            case session.Question(kind="comment"):
                return only(commenting) | {step: seen.step}
            case session.Question():
                text = getattr(texts, seen.kind)
                labels = [(label, key) for key, label in texts.labels(seen.kind).items()]
                return only(asking) | {
                    ask_heading: _heading(seen.step, config.title, "ask"),
                    ask: _markdown(text),
                    figure: gr.update(value=(drawn := _figure(seen, config)), visible=bool(drawn)),
                    choice: gr.update(choices=labels, value=None, label=text.strip()),
                    step: seen.step,
                }
            case session.Pair():
                return only(rating_panel) | {
                    pair: pair_html(seen, config),
                    rating: None,
                    step: seen.step,
                }
            case session.Feedback():
                return only(telling) | {feedback: _markdown(seen.text)}
            case session.Finished():
                completion = texts.completion_code.format(code=_escaped(seen.code))
                return only(done) | {
                    stored: _markdown(texts.done.format(total=seen.total)),
                    code: _markdown(completion) if seen.code else "",
                    back: _link(seen.url, texts.completion_link),
                    debrief: _markdown(f"### {texts.debrief_title}\n{config.debrief_text()}"),
                }
        return only(welcome)

    def fail(sentence: object) -> dict:
        return {problem: f'<p role="alert">{html.escape(str(sentence))}</p>'}

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
        if not said[0] or not plain:
            raise StudyError(texts.bad_link)
        return Identity(*said)

    def on_load(kept_token: object, request: gr.Request) -> list:
        recruited = dict(request.query_params).get("tab") == "rate"
        selected = {tabs: gr.update(selected="rate")}
        try:
            who = identity(request)
        except StudyError as error:
            return sent(fail(error) | selected)
        try:
            known = session.known(engine, study_name, who) if who else kept_token
            found = session.resume(engine, str(known or ""), study_name)
            shown = show(found) | {token: str(known or "")}
        except StudyError:
            found, shown = None, fail(texts.unreachable)
        comes_back = found is not None and not isinstance(found, session.Finished)
        if found is not None and not who:
            shown[somebody_else] = gr.update(visible=True)
        return sent(shown | (selected if who or recruited or comes_back else {}))

    def on_start(agreed: object, request: gr.Request) -> tuple[object, list]:
        try:
            who = identity(request)
            new = session.begin(engine, study_name, consent=agreed, identity=who)
            shown = show(session.resume(engine, new, study_name))
        except StudyError as error:
            return gr.skip(), sent(fail(error))
        return gr.skip() if who else new, sent(shown | {token: new})

    def on_somebody_else() -> tuple[str, list]:
        return "", sent(show(None) | {token: "", consent: False})

    def on_answer(its: object, step: object, value: object, measured: object) -> list:
        if not answered.hit(MOST_ANSWERS, study_name, str(its)):
            return sent(fail(texts.too_many))
        try:
            return sent(
                show(
                    session.answer(
                        engine, str(its), study_name, str(step), value, measured=measured
                    )
                )
            )
        except StudyError as error:
            return sent(fail(error))

    def on_go_on(its: object) -> list:
        try:
            return sent(show(session.resume(engine, str(its), study_name)))
        except StudyError:
            return sent(fail(texts.unreachable))

    # preprocess=False: the session judges what arrives, in its own words. Without Gradio's queue,
    # which would let one rater's slow answer hold up the others'.
    common = {"preprocess": False, "postprocess": False, "queue": False}
    common |= {"api_visibility": "private", "show_progress": "hidden"}

    def spread(event: gr.events.Dependency) -> None:
        event.success(None, [view], places, js="(sent) => sent", **common)

    spread(page.load(on_load, [kept], [view], **common))
    spread(start.click(on_start, [consent], [kept, view], **common))
    spread(somebody_else.click(on_somebody_else, [], [kept, view], **common))
    spread(after_feedback.click(on_go_on, [token], [view], **common))

    def answers(button: gr.Button, given: gr.components.Component, value: str) -> None:
        """Let `button` send `value`, a JavaScript expression that knows what is `given`."""
        js = f"(token, step, given) => [token, step, {value}, measured(step, {value})]"
        spread(button.click(on_answer, [token, step, given, measured], [view], js=js, **common))

    answers(say, choice, "given")
    answers(understood, choice, '"read"')
    answers(advance, rating, "given")
    answers(left, rating, '"left"')
    answers(right, rating, '"right"')
    answers(finish, comment, "given")


def pair_html(view: session.Pair, config: StudyConfig) -> str:
    """One pair, its place in the study above it, as HTML. The pictures are fetched by token."""
    texts, rates = config.texts, config.protocol == "rating"
    progress = texts.practice_progress if view.practice else texts.progress
    progress = progress.format(number=view.number, total=view.total)
    over = view.number == 1 and not view.practice and config.practice
    alts = (texts.gray_alt, texts.color_alt) if rates else (texts.left_alt, texts.right_alt)
    pictures = "".join(
        f'<span><img alt="{html.escape(alt)}" src="picture/{token}"></span>'
        for alt, token in zip(alts, view.pictures, strict=True)
    )
    exposure = "" if rates else f'data-exposure="{config.exposure_seconds:g}"'
    return f"""
        <h2 class="head progress" tabindex="-1" data-step="{view.step}" id="progress"
          aria-live="polite">{html.escape(progress)}</h2>
        {f'<p class="over">{html.escape(texts.practice_over)}</p>' if over else ""}
        <div class="pair" data-phase="loading" {exposure}
          data-upcoming="{" ".join(view.upcoming)}">{pictures}</div>
        <div class="phases" role="status">
          <span class="loading">{html.escape(texts.loading)}</span>
          <span class="missing" role="alert">{html.escape(texts.picture_missing)}</span>
          <button type="button" id="show" class="go">{html.escape(texts.show)}</button>
          {"" if rates else f'<span class="hidden">{html.escape(texts.hidden)}</span>'}
        </div>"""


def _scale(config: StudyConfig) -> list[float]:
    step = config.scale.step
    return [index * step for index in range(int(session.SCALE_MAX / step) + 1)]


def _button(label: str, **options) -> gr.Button:
    """A button that Enter presses wherever the focus is."""
    return gr.Button(label, variant="primary", elem_classes="go", **options)


def _heading(step: str, text: str, described_by: str = "") -> str:
    """The heading of a step, which the focus moves to; what is read out after it, by its id."""
    return (
        f'<h2 class="head" tabindex="-1" data-step="{html.escape(step)}"'
        f' aria-describedby="{described_by}">{html.escape(text)}</h2>'
    )


def _markdown(text: str) -> str:
    """Markdown without HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _escaped(text: str) -> str:
    """`text` as Markdown that shows it as it is, once `_markdown` has had it."""
    return re.sub(r"([^\w\s&<]|_)", r"\\\1", text)


def _figure(view: session.Question, config: StudyConfig) -> str:
    """The plate, or the strip of grey fields that a screen should tell apart, as HTML."""
    if view.png:
        data, alt = base64.b64encode(view.png).decode(), html.escape(config.texts.plate_alt)
        return f'<img class="plate" alt="{alt}" src="data:image/png;base64,{data}">'
    if view.kind != "screen":
        return ""
    grays = (round(255 * index / (GRAYS - 1)) for index in range(GRAYS))
    fields = "".join(f'<i style="background: rgb({gray} {gray} {gray})"></i>' for gray in grays)
    alt = html.escape(config.texts.screen_alt)
    return f'<div class="strip" role="img" aria-label="{alt}">{fields}</div>'


def _link(url: str, text: str) -> str:
    if not url.startswith(("https://", "http://")):
        return ""
    return f'<a href="{html.escape(url)}" rel="noreferrer">{html.escape(text)}</a>'
