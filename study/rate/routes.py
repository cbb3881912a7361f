"""What a rater's browser requests besides the page: to store answers, and pictures.

These requests bypass Gradio, whose own work for each call would come on top; `python -m tests.load`
measures it.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, HTTPException, Response
from fastapi.responses import JSONResponse
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Engine

from study.db.engine import reading
from study.db.queries import find_study
from study.errors import StudyError
from study.plan.config import StudyConfig
from study.rate import answers, pictures
from study.rate.shown import problem, show
from study.rate.steps import Feedback, View, go_on, is_token

MOST_ANSWERS = parse("120/minute")  # Requests of one session, those without an answer included.


def routes(engine: Engine, study_name: str) -> APIRouter:
    """The routes of a study's raters.

    POST /answer stores an answer: {"token", "step", "value", "measured"}, as
    `study.rate.answers.answer` takes them; POST /resume, {"token"}, goes on after feedback. Both
    return what is shown next (`study.rate.shown`). GET /picture/TOKEN returns a PNG that a rater
    was given.

    Raises:
        StudyError: no such study, or the database cannot be read.
    """
    with reading(engine) as database:
        config = StudyConfig.frozen(find_study(database, study_name).config)
    router, answered = APIRouter(), FixedWindowRateLimiter(MemoryStorage())

    @router.post("/answer")
    def answer(given: Annotated[dict, Body()]) -> JSONResponse:
        step, value, measured = (given.get(name) for name in ("step", "value", "measured"))

        def store(token: str) -> View | Feedback:
            return answers.answer(engine, token, study_name, str(step), value, measured=measured)

        return shown_after(given, store)

    @router.post("/resume")
    def resume(given: Annotated[dict, Body()]) -> JSONResponse:
        return shown_after(given, lambda token: go_on(engine, token, study_name))

    def shown_after(given: dict, take: Callable[[str], View | Feedback | None]) -> JSONResponse:
        token = str(given.get("token"))
        try:
            if not is_token(token):
                raise StudyError(config.texts.unknown_session)
            if not answered.hit(MOST_ANSWERS, study_name, token):
                raise StudyError(config.texts.too_many)
            return JSONResponse(show(take(token), config))
        except StudyError as error:
            return JSONResponse(problem(error))

    @router.get("/picture/{token}")
    def picture(token: str) -> Response:
        try:
            png = pictures.picture(engine, token)
        except StudyError:
            raise HTTPException(503) from None
        if png is None:
            raise HTTPException(404)
        return Response(png, media_type="image/png", headers={"Cache-Control": "no-store"})

    return router
