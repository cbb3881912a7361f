"""The "Rate" tab: the web page over study/session.py.

Nothing here or in what it sends knows the condition. Pictures travel inside the page as data, so
that there is no address to fetch others from, and a pair is sent only when it is due.
"""

import base64
import html

import gradio as gr
from sqlalchemy import Engine

from study import session, texts
from study.design import SHOWN_LIST
from study.store import StudyError, check_frozen, find_study, reading

CSS = """
#rate { max-width: 720px; margin: 0 auto; }
#rate .pair { display: flex; flex-wrap: wrap; justify-content: center; gap: 16px; padding: 16px;
              background: #777; border-radius: 8px; }
#rate .pair img { width: 256px; height: 256px; object-fit: contain; margin: 0; }
#rating .wrap { display: grid; grid-template-columns: repeat(11, 1fr); gap: 4px; }
#rating label { justify-content: center; padding: 8px 0; min-width: 0; min-height: 44px; }
#rating label input { position: absolute; opacity: 0; }
#rating label:focus-within { outline: 3px solid var(--color-accent); }
#rating label span { margin: 0; }
#anchors { display: flex; justify-content: space-between; gap: 16px; }
#problem p { color: #b00020 !important; font-weight: 600; }
.dark #problem p { color: #ff8a8a !important; }
.recruited [data-tab-id="colorize"], .recruited #colorize { display: none !important; }
@media (hover: none) { #keys { display: none; } }
@media (max-width: 600px) {
  #rate { gap: 8px; }
  #rate .pair { gap: 4px; padding: 4px; margin: 0 -12px; }
  #rate .pair img { width: calc(50% - 2px); height: auto; aspect-ratio: 1; }
  #rating .wrap { grid-template-columns: repeat(6, 1fr); }
}
"""

# Digits choose a rating as they are typed (1 then 0 is 10; 7, point, 5 is a half point where the
# scale has them), arrow keys move it, Enter goes on. At /?tab=rate the other tab is hidden.
HEAD = """
<script>
(() => {
  const recruited = new URLSearchParams(location.search).get("tab") === "rate";
  document.documentElement.classList.toggle("recruited", recruited);
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
  let typed = "";
  document.addEventListener("keydown", (event) => {
    const scale = document.querySelector("#rating");
    if (!scale || !scale.offsetParent || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("textarea, input:not([type=radio]), [contenteditable]")) return;
    const inputs = [...scale.querySelectorAll("input")];
    const values = inputs.map((input) => input.closest("label").textContent.trim());
    const chosen = inputs.findIndex((input) => input.checked);
    const choose = (index) => { inputs[index].click(); inputs[index].focus(); };
    if (event.key === "Enter" && !event.target.matches("button, a")) {
      event.preventDefault();
      document.querySelector("#next").click();
    } else if (event.key in steps) {
      event.preventDefault();
      const step = steps[event.key];
      const from = chosen >= 0 ? chosen : step > 0 ? -1 : inputs.length;
      choose(Math.min(Math.max(from + step, 0), inputs.length - 1));
    } else if (/^[0-9.,]$/.test(event.key)) {
      if (typed.replace(".", "") !== (values[chosen] ?? "")) typed = "";
      const key = event.key.replace(",", ".");
      const longer = values.indexOf(typed + key);
      const afterPoint = typed.endsWith(".");
      typed = key === "." || longer >= 0 ? typed + key : afterPoint ? "" : key;
      if (longer >= 0) choose(longer);
      else if (key !== "." && !afterPoint) choose(values.indexOf(key));
    }
  });
})();
</script>
"""


def browser_token(study_name: str) -> gr.BrowserState:
    """What a rater's browser keeps: the session's token. To be placed outside the tabs: within
    one, it is read only when that tab is opened.

    The token is a secret of that browser alone, so that encrypting it there, with a key that
    every visitor is sent, would protect nothing.
    """
    return gr.BrowserState("", storage_key=f"rating-session-{study_name}", secret="not-a-secret")


def build(
    page: gr.Blocks,
    tabs: gr.Tabs,
    token: gr.BrowserState,
    engine: Engine,
    study_name: str,
) -> None:
    """Put the tab's contents into `page`, for the study called `study_name`.

    The tab, one of `tabs` with the id "rate", opens by itself for a rater who comes back to an
    unfinished session. At the address `/?tab=rate`, for recruited raters, it is the only one: in
    the other a rater could colorize a picture of the study.

    Raises:
        StudyError: no such study, or its pictures are not those that were frozen.
    """
    with reading(engine) as database:
        study = find_study(database, study_name)
        check_frozen(study)
        pairs = sum(stimulus.list_name == SHOWN_LIST for stimulus in study.stimuli)
        pictures_from, step = study.pictures_from, study.step
    choices = [index * step for index in range(int(texts.SCALE_MAX / step) + 1)]

    with gr.Column(elem_id="rate"):
        with gr.Column(visible=False) as welcome:
            gr.Markdown(f"## {texts.CONSENT_TITLE}\n{texts.CONSENT.format(pairs=pairs)}")
            gr.Markdown(texts.PICTURES_FROM.format(pictures_from=pictures_from))
            consent = gr.Checkbox(label=texts.CONSENT_BOX, elem_id="consent")
            start = gr.Button(texts.START, variant="primary", elem_id="start")
        with gr.Column(visible=False) as rating_panel:
            gr.Markdown(texts.INSTRUCTIONS)
            gr.Markdown(texts.KEYS, elem_id="keys")
            pair = gr.HTML(elem_id="pair")
            rating = gr.Radio(
                [(f"{value:g}", value) for value in choices],
                label=texts.QUESTION,
                elem_id="rating",
            )
            ends = "".join(f"<span>{end}</span>" for end in (texts.SCALE_LOW, texts.SCALE_HIGH))
            gr.HTML(f'<div id="anchors">{ends}</div>')
            advance = gr.Button(texts.NEXT, variant="primary", elem_id="next")
        done = gr.Markdown(visible=False, elem_id="done")
        somebody_else = gr.Button(texts.SOMEBODY_ELSE, size="sm", visible=False)
        problem = gr.HTML(elem_id="problem")
        trial = gr.Textbox(visible=False)

    outputs = [welcome, rating_panel, done, pair, rating, trial, somebody_else, problem]

    def show(view: session.Pair | session.Finished | None) -> dict:
        shown = {
            welcome: gr.Column(visible=view is None),
            rating_panel: gr.Column(visible=isinstance(view, session.Pair)),
            done: gr.Markdown(visible=isinstance(view, session.Finished)),
            somebody_else: gr.Button(visible=isinstance(view, session.Finished)),
            problem: "",
        }
        if isinstance(view, session.Finished):
            text = f"## {texts.DONE_TITLE}\n{texts.DONE.format(total=view.total)}"
            shown[done] = gr.Markdown(text, visible=True)
        if isinstance(view, session.Pair):
            shown |= {pair: pair_html(view), rating: gr.Radio(value=None), trial: view.trial}
        return shown

    def fail(sentence: object) -> dict:
        return {problem: f'<p role="alert">{html.escape(str(sentence))}</p>'}

    def on_load(session_token: str, request: gr.Request) -> dict:
        try:
            view = session.resume(engine, session_token, study_name)
            shown = show(view)
        except StudyError:
            view, shown = None, fail(texts.UNREACHABLE)
        comes_back = isinstance(view, session.Pair)
        if comes_back:
            shown[somebody_else] = gr.Button(visible=True)
        if comes_back or request.query_params.get("tab") == "rate":
            shown[tabs] = gr.Tabs(selected="rate")
        return shown

    def on_start(agreed: bool) -> dict:
        try:
            new_token = session.begin(engine, study_name, consent=agreed)
            return {token: new_token, **show(session.resume(engine, new_token, study_name))}
        except StudyError as error:
            return fail(error)

    def on_somebody_else() -> dict:
        return {token: "", consent: False, **show(None)}

    def on_next(session_token: str, trial_token: str, value: float | None) -> dict:
        try:
            return show(session.rate(engine, session_token, study_name, trial_token, value))
        except StudyError as error:
            return fail(error)

    # preprocess=False: the session judges what arrives, in its own words
    common = {"preprocess": False, "api_visibility": "private"}
    page.load(on_load, [token], [tabs, *outputs], **common)
    start.click(on_start, [consent], [token, *outputs], **common)
    advance.click(on_next, [token, trial, rating], outputs, **common)
    somebody_else.click(on_somebody_else, [], [token, consent, *outputs], **common)


def pair_html(view: session.Pair) -> str:
    """One pair as HTML, the pictures inside it."""
    pictures = ""
    for alt, png in ((texts.GRAY_ALT, view.gray_png), (texts.COLOR_ALT, view.color_png)):
        data = base64.b64encode(png).decode()
        pictures += f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
    progress = texts.PROGRESS.format(number=view.number, total=view.total)
    return f'<p aria-live="polite" id="progress">{progress}</p><div class="pair">{pictures}</div>'
