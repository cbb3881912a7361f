"""What a study file says: its fields, their defaults and limits.

`python -m study.prepare --template` prints a file with every field. The frozen study keeps
`StudyConfig.model_dump(mode="json")`.
"""

import json
from collections.abc import Callable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
)

from study.plan.arms import CONTROL, Arm
from study.plan.protocols import PROTOCOLS, RATING, Protocol
from study.plan.questions import QUESTIONS, Question, asked
from study.plan.texts import Texts

SECONDS_BESIDES = 60  # Time that a rater takes for all but the pairs, in seconds.
# Sides of a picture on the page, the second one in a window narrower than the third, in CSS pixels.
SHOWN_SIDE, NARROW_SIDE, NARROW_BELOW = 256, 160, 600
SLUG = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Line = Annotated[str, Field(max_length=500)]


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


Name = Annotated[str, Field(max_length=200), AfterValidator(_filled)]


class Part(BaseModel):
    """Frozen, and without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Scale(Part):
    """The scale from 0 to 10; what its ends mean are texts."""

    step: Literal[0.5, 1] = 1

    @field_validator("step", mode="before")
    @classmethod
    def _is_number(cls, step: object) -> object:
        if isinstance(step, bool):  # Python takes it for 0 or 1.
            raise ValueError(f"must be 0.5 or 1, not {json.dumps(step)}")
        return step


class _Checks(Part):
    """The checks that belong to no question."""

    attention: bool = True  # One obviously wrong picture.
    too_fast_seconds: float | None = Field(0.7, ge=0, le=60)  # 0 switches it off.
    straight_lining: bool = True


Checks = create_model(
    "Checks",
    __base__=_Checks,
    __doc__="""What is asked and looked at to judge a session's quality; nobody is dropped for it.
    Each optional question has its switch here.""",
    **{question.step: (bool, True) for question in QUESTIONS if question.optional},
)


class Recruitment(Part):
    """For the report's paragraph on methods."""

    where: Line = ""
    payment: Line = ""
    criteria: Line = ""


class Completion(Part):
    """What the recruiting service expects at the end."""

    code: str = Field("", max_length=100)
    url: Line = ""

    @field_validator("url")
    @classmethod
    def _is_https(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if url and not (
            parts.scheme == "https" and parts.hostname and not set(url) & set(" \"<>'")
        ):
            raise ValueError("must be an address that begins with https://")
        return url


def _by_protocol(name: str) -> Callable[[dict], int]:
    """A default that the protocol declares."""
    return lambda fields: getattr(PROTOCOLS[fields.get("protocol", RATING.name)], name)


class StudyConfig(Part):
    """A study before its pictures are drawn.

    Attributes:
        arms: the control and the models; a text stands for the arm that `Arm` makes of it.
        pairs: number of analysed pairs for each rater.
        pictures: "fruits360", "rendered", or a folder of colour photos.
        seed: seed of the draw of the pictures; None: a random one, which is recorded.
        practice: number of pairs with feedback before the others, never analysed.
        quota: number of finished and live sessions at which no new rater is let in; a returning
            rater is.
        stale_minutes: time without a sign of life after which a session counts as abandoned.
        exposure_seconds: time for which a timed protocol shows a pair.
        margin: difference of mean ratings, in points, that would not matter.
        contact: the person whom raters can ask.
    """

    name: str = Field(pattern=SLUG, max_length=100)
    title: Name
    protocol: Literal[tuple(PROTOCOLS)] = RATING.name
    mode: Literal["counterbalanced", "paper"] = "counterbalanced"
    arms: tuple[Arm, ...] = (
        Arm(name=CONTROL),
        Arm(name="colornet", weights="colornet"),
    )
    pairs: int = Field(default_factory=_by_protocol("pairs"), ge=2, le=1000, validate_default=True)
    pictures: Line = "fruits360"
    seed: int | None = Field(None, ge=0, lt=2**63)
    practice: int = Field(default_factory=_by_protocol("practice"), ge=0, le=20)
    scale: Scale = Scale()
    checks: Checks = Checks()
    quota: int | None = Field(None, ge=1)
    stale_minutes: int = Field(60, ge=1, le=10_000)
    exposure_seconds: float = Field(1.0, gt=0, le=60)
    margin: float = Field(1.0, gt=0, le=10)
    contact: Name
    completion: Completion = Completion()
    recruitment: Recruitment = Recruitment()
    texts: Texts = Texts()

    @field_validator("arms")
    @classmethod
    def _are_comparable(cls, arms: tuple[Arm, ...], info: ValidationInfo) -> tuple[Arm, ...]:
        if not arms or arms[0].name != CONTROL:
            raise ValueError(f'must begin with "{CONTROL}", the pictures in true colours')
        if len(arms) < 2:
            raise ValueError(f'must name a model after "{CONTROL}", such as "colornet"')
        names = [arm.name for arm in arms]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"must all be different, and two are called {name!r}")
        if len(arms) > 8:
            raise ValueError(f"must be 8 at most, not {len(arms)}")
        if info.data.get("mode") == "paper" and len(arms) > 2:
            raise ValueError("must be control and one model in mode paper; try counterbalanced")
        return arms

    @field_validator("pairs")
    @classmethod
    def _can_be_dealt_out(cls, pairs: int, info: ValidationInfo) -> int:
        if not {"protocol", "mode", "arms"} <= info.data.keys():
            return pairs  # The mistake in one of those is reported already.
        names = [arm.name for arm in info.data["arms"]]
        shown = PROTOCOLS[info.data["protocol"]].shown_arms(names)
        if pairs % len(shown):
            counted = "even" if len(shown) == 2 else f"a multiple of {len(shown)}"
            *others, last = shown
            named = f"{', '.join(others)} and {last}"
            raise ValueError(f"must be {counted}, so that {named} are shown equally often")
        return pairs

    @field_validator("pictures")
    @classmethod
    def _have_files(cls, pictures: str, info: ValidationInfo) -> str:
        folders = [arm.folder for arm in info.data.get("arms", ()) if arm.folder]
        if folders and pictures == "rendered":
            raise ValueError(
                f'must be a folder or "fruits360" with the arm {folders[0]!r}: "rendered" draws'
                " pictures that nobody else has coloured"
            )
        return pictures

    @classmethod
    def frozen(cls, stored: dict) -> "StudyConfig":
        """The study as the database keeps it. Fields of an earlier version that this one does not
        know have no meaning any more and are left out; texts stay as that version accepted them."""
        return cls.model_validate(stored, extra="ignore", context="frozen")

    @property
    def models(self) -> dict[str, Arm]:
        """All arms but the control, by name."""
        return {arm.name: arm for arm in self.arms if arm.name != CONTROL}

    @property
    def own_luminance(self) -> list[str]:
        """Names of the arms whose pictures keep their own luminance."""
        return [arm.name for arm in self.arms if arm.luminance == "own"]

    @property
    def names_models(self) -> bool:
        """Whether models tell pictures apart in place of conditions: there are several, or each
        stands beside a control."""
        return len(self.models) > 1 or self.task.beside == "control"

    @property
    def task(self) -> Protocol:
        """What raters do at a pair, as the protocol declares it."""
        return PROTOCOLS[self.protocol]

    @property
    def shown_arms(self) -> tuple[str, ...]:
        """Names of the arms that a trial can be in."""
        return self.task.shown_arms([arm.name for arm in self.arms])

    @property
    def shown_pairs(self) -> int:
        """Number of pairs that a rater sees after the practice."""
        return self.pairs + self.checks.attention

    @property
    def questions(self) -> list[Question]:
        """The questions besides the pairs, in their order."""
        return asked(self.checks)

    def consent_text(self) -> str:
        """All that a rater agrees to, Markdown."""
        pairs = self.practice + self.shown_pairs
        minutes = max(2, round((SECONDS_BESIDES + self.task.seconds * pairs) / 60))
        task = self.filled(self.task.consent, pairs=pairs, minutes=minutes)
        return f"{task}\n{self.filled('consent')}"

    def instructions_text(self) -> str:
        """What to do, Markdown."""
        text = self.filled(self.task.instructions)
        return f"{text}\n{self.filled('practice')}" if self.practice else text

    def debrief_text(self) -> str:
        """What the study was about, Markdown; only for raters who have answered everything."""
        about = self.filled(self.task.debrief)
        return f"{about}\n{self.texts.debrief_attention}" if self.checks.attention else about

    def filled(self, key: str, **values: object) -> str:
        """The text of that key, its braces filled from the study and from `values`."""
        known = {
            "contact": self.contact,
            "practice": self.practice,
            "seconds": f"{self.exposure_seconds:g}",
            "step": f"{self.scale.step:g}",
            "scale_low": self.texts.scale_low,
            "scale_high": self.texts.scale_high,
            "size": SHOWN_SIDE,  # These two stand in texts that earlier versions froze.
            "narrow": NARROW_SIDE,
        }
        return getattr(self.texts, key).format(**known | values)
