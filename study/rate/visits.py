"""What the tab "Rate" shows a rater who opens the page, starts, or hands the device on."""

from collections.abc import Iterable, Mapping

import gradio as gr
from sqlalchemy import Engine

from study.errors import StudyError
from study.plan.config import StudyConfig
from study.rate.identity import Identity
from study.rate.shown import Shown, problem, show
from study.rate.start import LinkUsedError, begin, take_over
from study.rate.steps import Finished, resume

Parameters = Mapping[str, str] | Iterable[tuple[str, str]]  # Those of an address.
SELECTED = {"tabs": gr.update(selected="rate")}


class Visits:
    """A study's visitors. All methods return what is shown, place by place (`study.rate.shown`)."""

    def __init__(self, engine: Engine, study_name: str, config: StudyConfig) -> None:
        self.engine, self.study_name, self.config = engine, study_name, config

    def opened(self, kept_token: object, parameters: Parameters, handed: object = "") -> Shown:
        """The page is opened at an address with these parameters, in a browser that keeps this
        token, and was handed that of an identity last. An identity in the address takes precedence
        over the kept token."""
        try:
            who = Identity.of(parameters)
        except ValueError:
            return problem(self.config.texts.bad_link) | SELECTED
        try:
            token = kept_token
            if who:
                token = take_over(self.engine, self.study_name, who, handed)
            token = str(token or "")
            view = resume(self.engine, token, self.study_name)
            now = show(view, self.config) | {"token": token}
        except LinkUsedError as error:
            view, now = None, problem(error)
        except StudyError:
            view, now = None, problem(self.config.texts.unreachable)
        if view is not None and not who:
            now["somebody_else"] = gr.update(visible=True)
        unfinished = view is not None and not isinstance(view, Finished)
        only_rates = who or dict(parameters).get("tab") == "rate"
        return now | (SELECTED if only_rates or unfinished else {})

    def started(
        self, agreed: object, created_at: object, parameters: Parameters, handed: object = ""
    ) -> tuple[object, Shown]:
        """A rater starts the study made at `created_at`, whose texts the page shows.

        Returns:
            the token for the browser to keep, where nothing else identifies the rater; and what is
            shown.
        """
        try:
            who = Identity.of(parameters)
            token, view = begin(
                self.engine,
                self.study_name,
                consent=agreed,
                identity=who,
                handed=handed,
                created_at=created_at,
            )
        except ValueError:
            return gr.skip(), problem(self.config.texts.bad_link)
        except StudyError as error:
            return gr.skip(), problem(error)
        return gr.skip() if who else token, show(view, self.config) | {"token": token}

    def handed_on(self) -> tuple[str, Shown]:
        """Another person rates at this device: the browser forgets its token."""
        return "", show(None, self.config) | {"token": "", "consent": False}
