"""The protocols: what raters see of a pair and how they answer, each declared once.

The study file, the texts, the page, the drawing of trials, the stored answers, the quality checks,
the export, the report and the simulated raters all read these declarations.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

SCALE_MAX = 10  # The scale goes from 0 to this.
SIDES = ("left", "right")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A way to show a pair of pictures and to ask about it.

    Attributes:
        name: what the study file and reports call it.
        texts: {key: English text}, for `study.plan.texts.Texts`.
        consent, instructions, debrief: keys of what raters read before they agree, before the first
            pair and at the end.
        question, keys: keys of what they are asked at a pair, and by which keys they answer.
        alts: keys of the alternative texts of the two pictures.
        feedback: key of what is said after a practice pair, of its condition and the stored value.
        pairs, practice: numbers of pairs where the study file does not say.
        seconds: time that a rater takes for a pair, to estimate how long a session takes.
        beside: what a picture in colour stands beside: "gray", its grayscale version, on the left;
            or "control", the same picture in true colours, on a random side. In the latter case
            each trial is in the arm of a model.
        timed: a pair is hidden after the study's `exposure_seconds`.
        answered_by: "scale", a number from 0 to 10; or "sides", the left or the right picture. A
            side is stored with the value 1 where it is not that of the generated picture (the rater
            was fooled), else 0.
        obvious: the attention check passes with a value below this.
        obvious_found, obvious_missed: what the attention check says of the value {value}.
        criterion: what passing the attention check means, for the report.
        methods: what raters saw and answered, a sentence or two for the report's paragraph on
            methods, with any text in braces and {pairs}, {step} and {seconds}.
        columns: {column of the exported ratings: (its meaning, its unit or values)}.
    """

    name: str
    texts: Mapping[str, str]
    consent: str
    instructions: str
    debrief: str
    question: str
    keys: str
    alts: tuple[str, str]
    feedback: Callable[[str, float], str]
    pairs: int
    practice: int
    seconds: float
    beside: Literal["gray", "control"]
    timed: bool
    answered_by: Literal["scale", "sides"]
    obvious: float
    obvious_found: str
    obvious_missed: str
    criterion: str
    methods: str
    columns: Mapping[str, tuple[str, str]]

    def shown_arms(self, arms: Sequence[str]) -> tuple[str, ...]:
        """Of a study's arms, the control first, those that a trial can be in."""
        return tuple(arms[1:] if self.beside == "control" else arms)


RATING = Protocol(
    name="rating",
    texts={
        "task_rating": """
You will see {pairs} pairs of pictures, one pair at a time: a grayscale picture, and the same
picture in colour. For each pair you say how good the colours are, from 0 to 10. It takes about
{minutes} minutes.
""",
        "instructions_rating": """
Each pair is a grayscale picture and the same picture in colour. Rate how good the colours are:

- **{scale_low}**
- **{scale_high}**

Use the whole scale. Judge the colours only, not the sharpness or the choice of picture. There is
no right answer: go by your first impression. You cannot go back to a pair.
""",
        "question": "How good is the colorization?",
        "scale_low": "0 = very bad",
        "scale_high": "10 = like a photograph in true colours",
        "keys": (
            "Keys: digits choose a rating (1 and then 0 for 10), the arrow keys move it, Enter goes"
            " on."
        ),
        "gray_alt": "Grayscale picture",
        "color_alt": "Picture in colour",
        "feedback_control": "These were the true colours.",
        "feedback_generated": "These colours were made by a program.",
        "no_rating": "Please choose a rating from 0 to 10 first.",
        "bad_rating": "{value} is not a rating: choose a number from 0 to 10 in steps of {step}.",
        "debrief_rating": """
Some pictures were in their true colours. The others were made by a program that saw only the
grayscale picture and had to guess. Your ratings tell how good its colours look beside true ones,
which is why you were not told which was which. Questions: {contact}.
""",
    },
    consent="task_rating",
    instructions="instructions_rating",
    debrief="debrief_rating",
    question="question",
    keys="keys",
    alts=("gray_alt", "color_alt"),
    feedback=lambda condition, value: f"feedback_{condition}",
    pairs=10,
    practice=2,
    seconds=10,
    beside="gray",
    timed=False,
    answered_by="scale",
    obvious=SCALE_MAX / 2,
    obvious_found="rated the obviously wrong picture {value:g}",
    obvious_missed="rated the obviously wrong picture {value:g}",
    criterion="an obviously wrong picture rated below 5",
    methods=(
        "Raters saw {pairs} pairs of pictures, one pair at a time and in a different random order"
        " for each rater: a grayscale picture and the same picture in colour. They answered"
        " “{question}” on a scale from “{scale_low}” to “{scale_high}” in steps of {step}."
    ),
    columns={
        "rating": ("how good the colours are", "points, 0 (worst) to 10"),
    },
)

# Zhang, Isola & Efros 2016, "Colorful Image Colorization", section 3.1, with 40 pairs and 10 for
# practice, each shown for a second.
REAL_OR_FAKE = Protocol(
    name="real-or-fake",
    texts={
        "task_real_or_fake": """
You will see {pairs} pairs of pictures, one pair at a time and only for a moment: the same picture
twice, once in its true colours and once in colours that a program made up. For each pair you say
which one has the made-up colours. It takes about {minutes} minutes.
""",
        "instructions_real_or_fake": """
Each pair shows the same picture twice, side by side: once in its true colours, once in colours that
a program made up. You see both for {seconds} s, then they are hidden, and you choose the one whose
colours are made up. If you cannot tell, guess. You cannot go back to a pair.
""",
        "question_real_or_fake": "Which one has made-up colours?",
        "left": "Left",
        "right": "Right",
        "keys_real_or_fake": "Keys: the left and right arrow keys choose, Enter goes on.",
        "left_alt": "Left picture",
        "right_alt": "Right picture",
        "show": "Show the pictures",
        "hidden": "The pictures are hidden now.",
        "feedback_right": "Right: the picture that you chose had the made-up colours.",
        "feedback_wrong": "Wrong: the other picture had the made-up colours.",
        "no_choice": "Please choose left or right first.",
        "debrief_real_or_fake": """
One picture of each pair was in its true colours, the other was made by a program that saw only the
grayscale picture and had to guess. Your answers tell how often its colours pass for true ones.
Questions: {contact}.
""",
    },
    consent="task_real_or_fake",
    instructions="instructions_real_or_fake",
    debrief="debrief_real_or_fake",
    question="question_real_or_fake",
    keys="keys_real_or_fake",
    alts=("left_alt", "right_alt"),
    feedback=lambda condition, value: "feedback_wrong" if value else "feedback_right",
    pairs=40,
    practice=10,
    seconds=6,
    beside="control",
    timed=True,
    answered_by="sides",
    obvious=1,
    obvious_found="found the obvious fake",
    obvious_missed="took the obvious fake for true",
    criterion="an obvious fake found",
    methods=(
        "Raters saw {pairs} pairs of pictures, one pair at a time, for {seconds} s each and in a"
        " different random order for each rater: the same picture in true and in generated colours,"
        " at random on the left or on the right. Then they answered “{question_real_or_fake}”."
    ),
    columns={
        "rating": ("1 if the rater took the true picture for the fake (fooled), else 0", "0, 1"),
        "choice": ("the picture taken for the fake", "left, right"),
        "side": ("where the fake was", "left, right"),
    },
)
PROTOCOLS = {protocol.name: protocol for protocol in (RATING, REAL_OR_FAKE)}
