"""The state of the server, for its operators: /healthz, /metrics and the log."""

import logging
from collections.abc import Iterator

import sqlalchemy as sa
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, generate_latest
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from pythonjsonlogger.json import JsonFormatter
from sqlalchemy import Engine

from demo.colorize.pictures import load_colorizer
from model.weights import DEFAULT_WEIGHTS, WeightsError
from study.db.engine import reading
from study.db.tables import Rating, RatingSession, Study, Trial
from study.errors import StudyError
from study.status import status

PROBLEMS = Counter("problems", "Warnings and errors in the log.", ["level"])


def routes(engine: Engine, study_name: str) -> APIRouter:
    """/healthz: 200 where the database can be read and the weights are loaded, else 503.
    /metrics: Prometheus' text format. What is counted in the database is the same on all servers
    that share it.
    """
    router = APIRouter()
    stored = CollectorRegistry()
    stored.register(_Stored(engine, study_name))

    @router.get("/healthz")
    def healthz() -> JSONResponse:
        found = {"database": _reachable(engine, study_name), "weights": _loaded()}
        return JSONResponse(found, 200 if all(found.values()) else 503)

    @router.get("/metrics")
    def metrics() -> Response:
        text = generate_latest(REGISTRY) + generate_latest(stored)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return router


def log_to_stderr(level: str) -> None:
    """Log one JSON object a line, from `level` on. No address, name, token or answer is logged."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler, _Counting()], force=True)
    for name in ("demo", "study", "model"):
        logging.getLogger(name).setLevel(level.upper())


class _Stored:
    """A study's sessions and ratings, read from the database when they are asked for."""

    def __init__(self, engine: Engine, study_name: str) -> None:
        self.engine, self.study_name = engine, study_name

    def collect(self) -> Iterator[Metric]:
        sessions = GaugeMetricFamily(
            "study_sessions", "Sessions of people.", labels=["study", "state"]
        )
        ratings = GaugeMetricFamily(
            "study_ratings", "Ratings stored, also in practice.", labels=["study"]
        )
        try:
            counts = status(self.engine, self.study_name).total
            with reading(self.engine) as database:
                stored = database.scalar(
                    sa.select(sa.func.count())
                    .select_from(Rating)
                    .join(Trial)
                    .join(RatingSession)
                    .join(Study)
                    .where(Study.name == self.study_name)
                )
        except StudyError:
            return  # /healthz reports it; the counts of the server itself stay useful
        for state in ("finished", "live", "stale"):
            sessions.add_metric([self.study_name, state], getattr(counts, state))
        ratings.add_metric([self.study_name], stored)
        yield from (sessions, ratings)


class _Counting(logging.Handler):
    """Counts the records of the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        PROBLEMS.labels(record.levelname.lower()).inc()


def _reachable(engine: Engine, study_name: str) -> bool:
    try:
        with reading(engine) as database:
            return database.scalar(sa.select(Study.id).where(Study.name == study_name)) is not None
    except StudyError:
        return False


def _loaded() -> bool:
    try:
        return load_colorizer(DEFAULT_WEIGHTS) is not None
    except WeightsError:
        return False
