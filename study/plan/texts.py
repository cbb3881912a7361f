"""Every sentence that a rater sees, in one place, so that a study can be translated whole.

    python -m study.prepare --texts > german.toml

writes them as a file to translate; `texts_file = "german.toml"` in the study file takes it. Words
in braces are filled in; the English text shows which there are. Nothing here may tell a rater,
before the last answer, which colours are true; only feedback on practice pictures does.
"""

import json
import string

from pydantic import BaseModel, ConfigDict, field_validator

SAMPLES = {  # what may stand in braces, with a value to try a text with
    "pairs": 10,
    "practice": 2,
    "minutes": 3,
    "seconds": "1",
    "contact": "Jo, jo@example.org",
    "scale_low": "0 = very bad",
    "scale_high": "10 = very good",
    "number": 1,
    "total": 10,
    "value": "'x'",
    "step": "1",
    "limit": 2000,
    "code": "C1234",
    "pictures_from": "photographs",
    "size": 256,
    "narrow": 160,
}
WHOLE = ("consent", "debrief_rating", "debrief_real_or_fake")  # may say it all without braces


class Texts(BaseModel):
    """The texts of a study. Markdown, but for labels, buttons and sentences about mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Before the first picture
    consent_title: str = "Before you begin"
    task_rating: str = """
You will see {pairs} pairs of pictures, one pair at a time: a grayscale picture, and the same
picture in colour. For each pair you say how good the colours are, from 0 to 10. It takes about
{minutes} minutes.
"""
    task_real_or_fake: str = """
You will see {pairs} pairs of pictures, one pair at a time and only for a moment: the same picture
twice, once in its true colours and once in colours that a program made up. For each pair you say
which one has the made-up colours. It takes about {minutes} minutes.
"""
    consent: str = """
**What is stored:** your answers; the order of the pictures; when you began, came back, were last
here, and saw and answered each pair; how long you took; the size and the pixel ratio of your
browser's window. If the address that brought you here carries a participant ID, that is stored too,
apart from your answers, to confirm that you took part. Your name and your network address are not
stored, unless you write them into a comment. A random number kept in this browser lets you go on
where you were if you close the page.

Taking part is voluntary. You may stop at any time by closing the page; what you answered until
then stays stored.

Questions about the study, or about what is stored of you: {contact}.
"""
    consent_box: str = "I have read this and want to take part."
    consent_missing: str = "Please tick the box first: without your consent nothing is stored."
    start: str = "Start"
    pictures_from: str = "Pictures: {pictures_from}"
    pictures_fruits360: str = "photographs of Fruits-360, Test"
    pictures_rendered: str = "fruit drawn by a program"
    pictures_folder: str = "photographs"

    # Questions
    color_vision: str = "Do you have a colour vision deficiency (are you colour-blind)?"
    color_vision_normal: str = "No"
    color_vision_deficient: str = "Yes"
    color_vision_unknown: str = "I do not know"
    color_vision_silent: str = "I would rather not say"
    plate: str = "Which digit do you see among the dots? If you see none, that is fine: say so."
    plate_none: str = "None"
    plate_alt: str = "A disc of coloured dots"
    screen: str = """
Please make your screen bright, and switch off night light, blue light filter or anything else that
changes its colours. Then look at the strip below: it goes from black to white in equal steps. Can
you tell every step from the next?
"""
    screen_all: str = "Yes, all steps"
    screen_not_all: str = "No, some look the same"
    screen_alt: str = "A strip of grey steps from black to white"
    go_on: str = "Continue"
    bad_answer: str = "Please choose one of the answers first."

    # Instructions and practice
    instructions_title: str = "What to do"
    instructions_rating: str = """
Each pair is a grayscale picture and the same picture in colour. Rate how good the colours are:

- **{scale_low}**
- **{scale_high}**

Use the whole scale. Judge the colours only, not the sharpness or the choice of picture. There is
no right answer: go by your first impression. You cannot go back to a pair.
"""
    instructions_real_or_fake: str = """
Each pair shows the same picture twice, side by side: once in its true colours, once in colours that
a program made up. You see both for {seconds} s, then they are hidden, and you choose the one whose
colours are made up. If you cannot tell, guess. You cannot go back to a pair.
"""
    picture_size: str = """
Each picture is shown at {size} x {size} CSS pixels, in a window narrower than 600 at
{narrow} x {narrow}. Please do not zoom.
"""
    practice_title: str = "Practice"
    practice: str = "Practice comes first and does not count. Practice pairs: {practice}."
    practice_progress: str = "Practice {number} of {total}"
    practice_over: str = "The practice is over. From here on your answers count."
    feedback_control: str = "These were the true colours."
    feedback_generated: str = "These colours were made by a program."
    feedback_right: str = "Right: the one that you chose had the made-up colours."
    feedback_wrong: str = "Wrong: the other one had the made-up colours."

    # A pair
    question: str = "How good is the colorization?"
    scale_low: str = "0 = very bad"
    scale_high: str = "10 = like a photograph in true colours"
    keys: str = (
        "Keys: digits choose a rating (1 and then 0 for 10), the arrow keys move it, Enter goes on."
    )
    gray_alt: str = "Grayscale picture"
    color_alt: str = "Picture in colour"
    question_real_or_fake: str = "Which one has made-up colours?"
    left: str = "Left"
    right: str = "Right"
    keys_real_or_fake: str = "Keys: the left and right arrow keys choose, Enter goes on."
    left_alt: str = "Left picture"
    right_alt: str = "Right picture"
    show: str = "Show the pictures"
    hidden: str = "The pictures are hidden now."
    loading: str = "The pictures are on their way."
    picture_missing: str = "A picture did not arrive. Reload the page to go on."
    progress: str = "{number} of {total}"
    next: str = "Next"
    no_rating: str = "Please choose a rating from 0 to 10 first."
    bad_rating: str = "{value} is not a rating: choose a number from 0 to 10 in steps of {step}."
    no_choice: str = "Please choose left or right first."

    # The end
    comment_title: str = "One last thing"
    comment: str = "Is there anything that you would like to tell us? You may leave this empty."
    comment_button: str = "Finish"
    comment_too_long: str = "Please shorten your comment to {limit} characters."
    done_title: str = "Thank you"
    done: str = "All {total} answers are stored. You can close this page."
    completion_code: str = "Your completion code: **{code}**"
    completion_link: str = "Back to the site that sent you here"
    debrief_title: str = "What this was about"
    debrief_rating: str = """
Some pictures were in their true colours. The others were made by a program that saw only the
grayscale picture and had to guess. Your ratings tell how good its colours look beside true ones,
which is why you were not told which was which. Questions: {contact}.
"""
    debrief_real_or_fake: str = """
One picture of each pair was in its true colours, the other was made by a program that saw only the
grayscale picture and had to guess. Your answers tell how often its colours pass for true ones.
Questions: {contact}.
"""
    debrief_attention: str = """
One picture was painted blue on purpose. It only shows whether somebody looked at the pictures.
"""
    somebody_else: str = "Somebody else rates at this device"

    # What may go wrong
    unreachable: str = (
        "The study cannot be reached at the moment. Please reload the page in a minute."
    )
    changed: str = (
        "This study was changed a moment ago and is not ready yet. Please come back later."
    )
    no_answer: str = (
        "The server gave no answer, so it is not known whether this was saved. Please press the"
        " button again in a moment; if it was, your first answer counts."
    )
    too_many: str = "That was too much for one minute. Please go on a little later."
    bad_link: str = (
        "This address is not complete. Please open the link again as it was given to you."
    )
    full: str = "Enough people have taken part already. Thank you for coming."
    unknown_session: str = (
        "This session is not known here; it may have been deleted. Reload the page to begin."
    )
    unknown_trial: str = (
        "That pair of pictures is not the one in front of you. Reload the page to go on."
    )

    @field_validator("*")
    @classmethod
    def _fills_in(cls, text: str, info) -> str:
        if not text.strip():
            raise ValueError("must not be empty")
        known = placeholders(cls.model_fields[info.field_name].default)
        try:
            used = placeholders(text)
            unknown = sorted(used - known)
            if not unknown:
                text.format(**SAMPLES)
        except (ValueError, LookupError, TypeError):
            raise ValueError("has a brace that is not closed or holds more than a word") from None
        there_are = ", ".join(f"{{{name}}}" for name in sorted(known)) or "none"
        if unknown:
            raise ValueError(
                f"has {{{unknown[0]}}}, which is not filled in; there are: {there_are}"
            )
        if known - used and info.field_name not in WHOLE:
            raise ValueError(f"lacks {{{min(known - used)}}}; to be filled in are: {there_are}")
        return text

    def labels(self, kind: str) -> dict[str, str]:
        """What the answers to a question, "color_vision", "plate" or "screen", are called:
        {answer as it is stored: label}."""
        if kind == "color_vision":
            return {
                "normal": self.color_vision_normal,
                "deficient": self.color_vision_deficient,
                "unknown": self.color_vision_unknown,
                "rather not say": self.color_vision_silent,
            }
        if kind == "plate":
            return {digit: digit for digit in string.digits} | {"none": self.plate_none}
        return {"all": self.screen_all, "not all": self.screen_not_all}


def placeholders(text: str) -> set[str]:
    """The words that stand in braces.

    >>> sorted(placeholders("{number} of {total}"))
    ['number', 'total']
    """
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


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
