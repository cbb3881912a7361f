"""A rater without a browser: plain HTTP against the page's tab "Rate", as the page itself sends it.

It does not give up where a server is gone or busy: it sends the same step again, as somebody would
who presses the button again, until `PATIENCE` is over.
"""

import asyncio
import random
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

PATIENCE = 150  # seconds without progress after which a rater gives up
PAUSE = 0.2  # seconds before a step is sent again
TRANSIENT = (
    "Not saved",
    "The study cannot be reached",
)  # how sentences begin that ask to try again


@dataclass(frozen=True)
class Rated:
    """A rating that the server said it has.

    Attributes:
        step: the trial's token.
        answer: the rating, or the side.
        seconds: from the answer to the acknowledgement, further tries included.
    """

    step: str
    answer: float | str
    seconds: float


OnRating = Callable[[Rated], Awaitable[None]]


def run(coroutine: Coroutine) -> Any:
    """What the coroutine gives, by a thread of its own: a browser that is driven by the same tests
    keeps an event loop in theirs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


class HttpRater:
    """One rater, known by a name of its own, so that nothing that is sent twice counts twice.

    Args:
        client: with the page's address as `base_url`; raters behind a load balancer that tells
            them apart by a cookie need a client each.
        config: what the page answers at `/config`.

    Attributes:
        sent: answers by step, acknowledged or not.
        rated: all acknowledged ratings so far, in order.
        tries: requests that had to be sent again.
        not_saved: of these, those that the page answered with such a sentence.
    """

    def __init__(self, client: httpx.AsyncClient, config: dict) -> None:
        self.client = client
        self.name = f"http-{secrets.token_hex(8)}"
        self.sent: dict[str, Any] = {}
        self.rated: list[Rated] = []
        self.tries = self.not_saved = 0
        self._page = Steps(config)
        self._seen: set[str] = set()  # tokens of pictures that were fetched

    async def take_part(self, *, on_rating: OnRating | None = None) -> list[Rated]:
        """Go through the whole study, from consent to the completion code.

        Args:
            on_rating: awaited after each acknowledged rating.

        Returns:
            the acknowledged ratings, of practice pairs too, in order.

        Raises:
            RuntimeError: the page refuses a step, or does not answer for too long.
        """
        asked = {"fn_index": self._page.start, "data": [True, None, ""], "session_hash": self.name}
        shown = await self._until_done("/gradio_api/run/predict", asked)
        token = shown["token"]
        while True:
            if "stored" in shown:
                return self.rated
            step = shown.get("step")
            if "feedback" in shown:
                shown = await self._until_done("/resume", {"token": token})
            elif "pair" in shown:
                shown = await self._rate(token, step, shown["pair"])
                if on_rating:
                    await on_rating(self.rated[-1])
            elif "choice" in shown:
                answer = shown["choice"]["choices"][0][1]
                shown = await self._answer(token, step, answer)
            else:
                answer = {"comment": "", "instructions": "read"}[step]
                shown = await self._answer(token, step, answer)

    async def _rate(self, token: str, step: str, pair: str) -> dict[str, Any]:
        """Look at a pair, fetch the next one's pictures and answer."""
        pictures = re.findall(r'src="picture/([\w-]+)"', pair)
        upcoming = re.search(r'data-upcoming="([^"]*)"', pair)[1].split()
        for picture in (*pictures, *upcoming):
            if picture not in self._seen:
                await self._request("GET", f"/picture/{picture}")
                self._seen.add(picture)
        answer = random.choice(self._page.scale or ["left", "right"])
        self.sent[step], began = answer, time.perf_counter()
        shown = await self._answer(token, step, answer)
        self.rated.append(Rated(step, answer, time.perf_counter() - began))
        return shown

    async def _answer(self, token: str, step: str, value: Any) -> dict[str, Any]:
        measured = {"response_ms": 2000, "viewport_width": 1280, "viewport_height": 720}
        given = {"token": token, "step": step, "value": value, "measured": measured}
        return await self._until_done("/answer", given)

    async def _until_done(self, path: str, asked: dict) -> dict[str, Any]:
        """Take a step; what the page shows then, by the name of the place.

        Raises:
            RuntimeError: as `take_part`.
        """
        deadline = time.perf_counter() + PATIENCE
        while True:
            told = (await self._request("POST", path, json=asked)).json()
            shown = told["data"][-1] if "data" in told else told  # of Gradio's functions
            problem = re.sub(r"<[^>]*>", "", shown.get("problem", ""))
            if not problem:
                return shown
            if not problem.startswith(TRANSIENT) or time.perf_counter() > deadline:
                raise RuntimeError(f"{path}: {problem}")
            self.not_saved += 1
            await self._pause()

    async def _request(self, method: str, path: str, **options) -> httpx.Response:
        """An answer of 200; a server that is gone or busy is asked again.

        Raises:
            RuntimeError: as `take_part`.
        """
        deadline = time.perf_counter() + PATIENCE
        while True:
            try:
                answer = await self.client.request(
                    method, path, params={"rater": self.name}, **options
                )
                if answer.status_code == 200:
                    return answer
                failed = f"{answer.status_code} {answer.text[:200]}"
                lasting = answer.status_code < 500 and answer.status_code != 429
            except httpx.TransportError as error:
                failed, lasting = repr(error), False
            if lasting or time.perf_counter() > deadline:
                raise RuntimeError(f"{method} {path}: {failed}")
            await self._pause()

    async def _pause(self) -> None:
        self.tries += 1
        await asyncio.sleep(PAUSE * random.uniform(0.5, 1.5))


class Steps:
    """What the page's configuration tells a rater.

    Attributes:
        start: the number of Gradio's function that begins a session.
        scale: the ratings that the page offers; empty where a side is to be chosen.
    """

    def __init__(self, config: dict) -> None:
        parts = {part["props"].get("elem_id"): part for part in config["components"]}
        rating = parts["rating"]["props"]
        self.scale = [value for _, value in rating["choices"]] if rating["visible"] else []
        consent, calls = parts["consent"]["id"], config["dependencies"]
        self.start = next(call["id"] for call in calls if consent in call["inputs"])
