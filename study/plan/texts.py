"""Every sentence that a rater reads, so that a study can be translated as a whole.

    python -m study.prepare --texts > german.toml

writes a file to translate, which `texts_file = "german.toml"` in the study file names. Words in
braces are filled in; the English text shows which ones a text has. Before the last answer no text
may tell a rater which colours are true, except the feedback on practice pairs. Texts of a single
question or protocol are declared with it.
"""

import json
import string

from pydantic import BaseModel, ConfigDict, ValidationInfo, create_model, field_validator

from study.plan.protocols import PROTOCOLS
from study.plan.questions import QUESTIONS

MAY_LACK_BRACES = {"consent", *(protocol.debrief for protocol in PROTOCOLS.values())}


class _Texts(BaseModel):
    """The texts that belong to no single question or protocol."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Before the first picture
    consent_title: str = "Before you begin"
    consent: str = """
**What is stored:** your answers; the order of the pictures; when you began, returned, were last
here, and saw and answered each pair; how long you took; the size and the pixel ratio of your
browser's window. If the link that brought you here contains a participant ID, that is stored too,
separately from your answers, to confirm that you took part. Your name and your network address are
not stored, unless you write them into a comment. A random number kept in this browser lets you
continue where you left off if you close the page.

Taking part is voluntary. You may stop at any time by closing the page; the answers that you have
given by then remain stored.

Questions about the study, or about the data stored about you: {contact}.
"""
    consent_box: str = "I have read this and want to take part."
    consent_missing: str = "Please tick the box first: without your consent nothing is stored."
    start: str = "Start"
    pictures_from: str = "Pictures: {pictures_from}"
    pictures_fruits360: str = "photographs of Fruits-360, Test"
    pictures_rendered: str = "fruit drawn by a program"
    pictures_folder: str = "photographs"

    # Questions
    go_on: str = "Continue"
    bad_answer: str = "Please choose one of the answers first."

    # Instructions and practice
    instructions_title: str = "What to do"
    picture_size: str = "Please do not zoom: all raters should see the pictures at the same size."
    practice_title: str = "Practice"
    practice: str = "Practice comes first and does not count. Practice pairs: {practice}."
    practice_progress: str = "Practice {number} of {total}"
    practice_over: str = "The practice is over. From now on your answers count."

    # A pair
    loading: str = "The pictures are loading."
    picture_missing: str = "A picture could not be loaded. Reload the page to continue."
    progress: str = "{number} of {total}"
    next: str = "Next"

    # The end
    done_title: str = "Thank you"
    done: str = "All {total} answers are stored. You can close this page."
    completion_code: str = "Your completion code: **{code}**"
    completion_link: str = "Return to the site that sent you here"
    debrief_title: str = "What this was about"
    debrief_attention: str = """
One picture was painted blue on purpose. It only shows whether raters looked at the pictures.
"""
    somebody_else: str = "Somebody else rates on this device"

    # What may go wrong
    unreachable: str = (
        "The study cannot be reached at the moment. Please reload the page in a minute."
    )
    changed: str = (
        "This study was changed a moment ago and is not ready yet. Please come back later."
    )
    no_answer: str = (
        "The server did not reply, so it is not known whether this was saved. Please press the"
        " button again in a moment; if it was saved, your first answer counts."
    )
    too_many: str = "Too many requests within a minute. Please continue a little later."
    bad_link: str = (
        "This link holds no participant ID that can be used; please open it again exactly as you"
        " received it, or ask the person who sent it."
    )
    link_used: str = (
        "Somebody has finished this study with this link already, in another browser; if it was"
        " you, your answers are stored, and the link shows the end again in that browser."
    )
    full: str = "Enough people have already taken part. Thank you for your interest."
    unknown_session: str = (
        "This session is unknown here; it may have been deleted. Reload the page to begin."
    )
    unknown_trial: str = (
        "This is not the pair of pictures in front of you. Reload the page to continue."
    )

    @field_validator("*")
    @classmethod
    def _fills_in(cls, text: str, info: ValidationInfo) -> str:
        if info.context == "frozen":
            return text
        if not text.strip():
            raise ValueError("must not be empty")
        known = placeholders(cls.model_fields[info.field_name].default)
        try:
            used = placeholders(text)
        except ValueError:
            raise ValueError("has a brace that is not closed or holds more than a word") from None
        unknown = sorted(used - known)
        there_are = ", ".join(f"{{{name}}}" for name in sorted(known)) or "none"
        if unknown:
            raise ValueError(
                f"has {{{unknown[0]}}}, which is not filled in; there are: {there_are}"
            )
        if known - used and info.field_name not in MAY_LACK_BRACES:
            raise ValueError(f"lacks {{{min(known - used)}}}; to be filled in are: {there_are}")
        return text


Texts = create_model(
    "Texts",
    __base__=_Texts,
    __doc__="""The texts of a study, those of each question and protocol included. Markdown, but for
    labels, buttons and sentences about mistakes.""",
    **{
        key: (str, english)
        for declared in (*QUESTIONS, *PROTOCOLS.values())
        for key, english in declared.texts.items()
    },
)


def placeholders(text: str) -> set[str]:
    """The words that stand in braces.

    Raises:
        ValueError: a brace is not closed, or it holds a format besides the word.

    >>> sorted(placeholders("{number} of {total}"))
    ['number', 'total']
    """
    fields = [field for field in string.Formatter().parse(text) if field[1] is not None]
    if any(how or conversion for _, _, how, conversion in fields):
        raise ValueError(f"{text!r} formats a word")
    return {name for _, name, _, _ in fields}


def as_toml(texts: Texts) -> str:
    """`texts` as a TOML file."""
    lines = []
    for name, text in texts:
        if "\n" in text:  # TOML drops the first line break and keeps all others
            body = "\n".join(
                json.dumps(line, ensure_ascii=False)[1:-1] for line in text.split("\n")
            )
            lines.append(f'{name} = """\n{body}"""')
        else:
            lines.append(f"{name} = {json.dumps(text, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
