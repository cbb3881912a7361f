"""The questions that raters are asked besides the pairs, each declared once.

The study file, the texts, the page, the stored answers, the quality checks, the export, the report
and the simulated raters all read these declarations: a question is added to `QUESTIONS` and to the
commented study file, `study/prepare/template.toml`, which `make docs` copies into the guide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

COMMENT_LIMIT = 2_000  # Characters of a comment.


@dataclass(frozen=True)
class Question:
    """A step of a rater's way that shows no pair.

    Attributes:
        step: its name in the study file's [checks], with the stored answer and in the export. The
            text of the same name is what raters read.
        texts: {key: English text}, for `study.plan.texts.Texts`.
        choices: {answer as it is stored: key of its label}; empty: raters write a comment.
        simulated: what a simulated rater answers.
        optional: the study file can switch it off.
        after_pairs: it is asked after the last pair, not before the first.
        panel: the part of the page that shows it.
        figure: key of the alternative text of the strip of gray steps; empty: there is no strip.
        check: name of its quality check; empty: its answer is not checked.
        passed, failed: answers with which the check passes or fails; with others it could not run.
        criterion: what passing the check means, for the report.
        methods: a sentence for the report's paragraph on methods.
    """

    step: str
    texts: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    simulated: str = ""
    optional: bool = True
    after_pairs: bool = False
    panel: Literal["asking", "instructions", "commenting"] = "asking"
    figure: str = ""
    check: str = ""
    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    criterion: str = ""
    methods: str = ""


COLOR_VISION = Question(
    "color_vision",
    texts={
        "color_vision": "Do you have a colour vision deficiency (are you colour-blind)?",
        "color_vision_normal": "No",
        "color_vision_deficient": "Yes",
        "color_vision_unknown": "I do not know",
        "color_vision_silent": "I would rather not say",
    },
    choices={
        "normal": "color_vision_normal",
        "deficient": "color_vision_deficient",
        "unknown": "color_vision_unknown",
        "rather not say": "color_vision_silent",
    },
    simulated="normal",
    check="colour vision",
    passed=("normal",),
    failed=("deficient",),
    criterion="no colour vision deficiency, by their own account",
)
SCREEN = Question(
    "screen",
    texts={
        "screen": """
Please make your screen bright, and switch off its night light, blue light filter or anything else
that changes its colours. Then look at the strip below: it goes from black to white in equal steps.
Can you tell every step from the next?
""",
        "screen_all": "Yes, all steps",
        "screen_not_all": "No, some look the same",
        "screen_alt": "A strip of grey steps from black to white",
    },
    choices={"all": "screen_all", "not all": "screen_not_all"},
    simulated="all",
    figure="screen_alt",
    methods="Raters were asked to make the screen bright and to switch off its colour filters.",
)
INSTRUCTIONS = Question(
    "instructions",
    choices={"read": "go_on"},
    simulated="read",
    optional=False,
    panel="instructions",
)
COMMENT = Question(
    "comment",
    texts={
        "comment_title": "One last thing",
        "comment": "Is there anything that you would like to tell us? You may leave this empty.",
        "comment_button": "Finish",
        "comment_too_long": "Please shorten your comment to {limit} characters.",
    },
    optional=False,
    after_pairs=True,
    panel="commenting",
)
QUESTIONS = (COLOR_VISION, SCREEN, INSTRUCTIONS, COMMENT)  # In the order in which they are asked.


def asked(checks: object) -> list[Question]:
    """The questions of a study whose [checks] have a boolean for each optional one, in order."""
    return [each for each in QUESTIONS if not each.optional or getattr(checks, each.step)]
