"""What a rater is shown, as the tab "Rate" takes it: {name of a place: its new content}.

`study/rate/tab.py` has the places. Nothing here knows the condition: pictures are fetched, a pair
at a time, with random tokens that each rater has alone.
"""

import html
import re
from typing import Any

import gradio as gr

from study.plan.config import StudyConfig
from study.plan.questions import Question
from study.rate.steps import Feedback, Finished, Pair, View

PANELS = ("welcome", "asking", "instructions", "rating_panel", "telling", "commenting", "done")
GRAYS = 11  # Number of gray steps that a good screen tells apart.

Shown = dict[str, Any]


def show(seen: View | Feedback | None, config: StudyConfig) -> Shown:
    """The step at which a session stands; None: there is no session yet."""
    texts = config.texts
    match seen:
        case Question(panel="instructions"):
            title = heading(seen.step, texts.instructions_title, "instructions")
            return _only("instructions") | {"instructions_heading": title, "step": seen.step}
        case Question(panel="commenting"):
            return _only("commenting") | {"step": seen.step}
        case Question():
            text = getattr(texts, seen.step)
            labels = [(getattr(texts, key), answer) for answer, key in seen.choices.items()]
            return _only("asking") | {
                "ask_heading": heading(seen.step, config.title, "ask"),
                "ask": markdown(text),
                "figure": gr.update(value=(drawn := _figure(seen, config)), visible=bool(drawn)),
                "choice": gr.update(choices=labels, value=None, label=text.strip()),
                "step": seen.step,
            }
        case Pair():
            pair = pair_html(seen, config)
            return _only("rating_panel") | {"pair": pair, "rating": None, "step": seen.step}
        case Feedback():
            return _only("telling") | {"feedback": markdown(seen.text)}
        case Finished():
            completion = config.filled("completion_code", code=_escaped(seen.code))
            return _only("done") | {
                "stored": markdown(config.filled("done", total=seen.total)),
                "code": markdown(completion) if seen.code else "",
                "back": _link(seen.url, texts.completion_link),
                "debrief": markdown(f"### {texts.debrief_title}\n{config.debrief_text()}"),
            }
    return _only("welcome")


def problem(sentence: object) -> Shown:
    """A sentence about what went wrong, below all that is shown already."""
    return {"problem": f'<p role="alert">{html.escape(str(sentence))}</p>'}


def pair_html(view: Pair, config: StudyConfig) -> str:
    """One pair as HTML, below its place in the study. The pictures are fetched by token."""
    texts, timed = config.texts, config.task.timed
    key = "practice_progress" if view.practice else "progress"
    progress = config.filled(key, number=view.number, total=view.total)
    over = view.number == 1 and not view.practice and config.practice
    alts = [getattr(texts, key) for key in config.task.alts]
    pictures = "".join(
        f'<span><img alt="{html.escape(alt)}" src="picture/{token}"></span>'
        for alt, token in zip(alts, view.pictures, strict=True)
    )
    exposure = f'data-exposure="{config.exposure_seconds:g}"' if timed else ""
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
          {f'<span class="hidden">{html.escape(texts.hidden)}</span>' if timed else ""}
        </div>"""


def heading(step: str, text: str, described_by: str = "") -> str:
    """The heading of a step, to which the focus moves; screen readers go on with the element of
    the id `described_by`."""
    return (
        f'<h2 class="head" tabindex="-1" data-step="{html.escape(step)}"'
        f' aria-describedby="{described_by}">{html.escape(text)}</h2>'
    )


def markdown(text: str) -> str:
    """Markdown without HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _only(panel: str) -> Shown:
    shown = {name: gr.update(visible=name == panel) for name in PANELS}
    return shown | {"problem": "", "somebody_else": gr.update(visible=False)}


def _escaped(text: str) -> str:
    """Markdown that shows `text` as it is, once `markdown` has been applied."""
    return re.sub(r"([^\w\s&<]|_)", r"\\\1", text)


def _figure(question: Question, config: StudyConfig) -> str:
    """The strip of gray steps as HTML, where the question is about it."""
    if not question.figure:
        return ""
    grays = (round(255 * index / (GRAYS - 1)) for index in range(GRAYS))
    fields = "".join(f'<i style="background: rgb({gray} {gray} {gray})"></i>' for gray in grays)
    alt = html.escape(getattr(config.texts, question.figure))
    return f'<div class="strip" role="img" aria-label="{alt}">{fields}</div>'


def _link(url: str, text: str) -> str:
    if not url.startswith(("https://", "http://")):
        return ""
    return f'<a href="{html.escape(url)}" rel="noreferrer">{html.escape(text)}</a>'
