"""The uploads of `tests.corpus` posted to the real server, as any program may, and what it costs.

    python -m tests.corpus [--only "bit flips"]

Each answer has to be a picture or one sentence. After every class a good photo has to work. On a
machine that others use too, an upload may take as many times longer as there are more programs
that want to run than processors.
"""

import argparse
import itertools
import json
import os
import platform
import re
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import requests
from tqdm import tqdm

from model.photos import PhotoError
from tests.corpus import CLASSES, Upload, arrays, corpus, whole
from tests.support.server import ROOT, UNLIMITED, Server

ARRAYS, GOOD = "arrays", "a good photo"  # of outcomes: a kind, a name
SECONDS, MEGABYTES = 5, 1024  # that one upload may take
TRIES = 2  # of which the faster counts
RESULTS = ROOT / "results" / "reliability" / "corpus.json"
PAUSE = 0.01  # seconds between two looks at the memory
ESCAPED = {'"': "%22", "\r": "%0D", "\n": "%0A"}  # in a form's file names, as browsers do it


class Refused(Exception):
    """What the page said in the place of a result."""


class Api:
    """The page's functions over HTTP, without Gradio's client, which would mend what is broken."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/gradio_api"
        self.session = requests.Session()

    def upload(self, name: str, content: bytes) -> dict:
        """Send a file of this very name.

        Returns:
            the photo, as the page's functions take it.

        Raises:
            Refused: it was not taken.
        """
        for letter, escaped in ESCAPED.items():
            name = name.replace(letter, escaped)
        head = f'--corpus\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        kind = "Content-Type: application/octet-stream\r\n\r\n"
        form = (head + kind).encode() + content + b"\r\n--corpus--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=corpus"}
        sent = self.session.post(f"{self.url}/upload", data=form, headers=headers)
        if not sent.ok:
            raise Refused(_detail(sent))
        return {"path": sent.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def call(self, function: str, *inputs: Any) -> list:
        """What the function gives; `inputs` is anything that JSON, or Python's kind of it, can say.

        Raises:
            Refused: it says so.
        """
        url = f"{self.url}/call/{function}"
        headers = {"Content-Type": "application/json"}
        asked = self.session.post(url, data=json.dumps({"data": inputs}), headers=headers)
        if not asked.ok:
            raise Refused(_detail(asked))
        events = self.session.get(f"{url}/{asked.json()['event_id']}").text
        event, data = re.findall(r"^event: (\w+)\ndata: (.*)$", events, re.MULTILINE)[-1]
        if event != "complete":
            raise Refused((json.loads(data) or {}).get("error"))
        return json.loads(data)

    def colorize(self, name: str, content: bytes) -> str:
        """URL of the picture that becomes of this file.

        Raises:
            Refused: nothing does.
        """
        return self.call("colorize", self.upload(name, content), "colornet", [], 1)[1]["url"]

    def is_png(self, url: str) -> bool:
        with self.session.get(url, stream=True) as file:
            return file.ok and next(file.iter_content(8)) == b"\x89PNG\r\n\x1a\n"


def _detail(answer: requests.Response) -> str:
    try:
        return answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text


def is_one_sentence(said: object) -> bool:
    """Whether a person can read it as such: one line, a full stop at its end, no Python."""
    python = r"Traceback|\w(Error|Exception)\b|<class|object at 0x"
    return (
        isinstance(said, str)
        and said.isprintable()
        and said.endswith(".")
        and len(said) < 300
        and not re.search(python, said)
    )


class Cost:
    """What a process and its children take within the `with` block.

    Attributes:
        seconds: by the clock.
        processor: seconds of the processors.
        megabytes: the most memory at once above what they had before; what processes share
            counts for each of them.
    """

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)

    def __enter__(self) -> "Cost":
        self.began, self.worked = time.perf_counter(), self._work()
        self.before, self.megabytes = self._memory(), 0.0
        self.done = threading.Event()
        self.watch = threading.Thread(target=self._watch)
        self.watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.done.set()
        self.watch.join()
        self.seconds = time.perf_counter() - self.began
        self.processor = self._work() - self.worked

    def _watch(self) -> None:
        while not self.done.wait(PAUSE):
            self.megabytes = max(self.megabytes, self._memory() - self.before)

    def _memory(self) -> float:
        return self._sum(lambda one: one.memory_info().rss) / 1e6

    def _work(self) -> float:
        return self._sum(lambda one: sum(one.cpu_times()[:4]))

    def _sum(self, of: Callable[[psutil.Process], float]) -> float:
        total = 0.0
        with suppress(psutil.Error):  # it has ended, or is ending
            for one in (self.process, *self.process.children(recursive=True)):
                with suppress(psutil.Error):
                    total += of(one)
        return total


@dataclass(frozen=True)
class Outcome:
    """What one upload came to.

    Attributes:
        said: the sentence in the place of a picture; None for a picture.
        fault: what should not have happened; None if all is well.
        seconds, processor: by the clock and of the processors, from sending it to the answer.
        megabytes: that the server and its children held at most, above those of the idle server
            before.
    """

    kind: str
    name: str
    said: str | None
    fault: str | None
    seconds: float = 0
    processor: float = 0
    megabytes: float = 0


def post(api: Api, pid: int, upload: Upload) -> Outcome:
    """Upload and colorize over HTTP, and judge the answer; `pid` is the server's."""
    said = fault = None
    with Cost(pid) as cost:
        try:
            url = api.colorize(upload.name, upload.content)
        except Refused as refused:
            said = str(refused)
        except (requests.RequestException, ValueError, LookupError) as error:
            fault = f"no answer: {error!r}"
    if said is not None and not is_one_sentence(said):
        fault = f"said {said!r}"
    elif said is None and fault is None and not api.is_png(url):
        fault = "no picture came"
    elif cost.megabytes > MEGABYTES:
        fault = f"took {cost.megabytes:.0f} MB"
    costs = cost.seconds, cost.processor, cost.megabytes
    return Outcome(upload.kind, upload.name, said, fault, *costs)


def post_in_time(api: Api, pid: int, upload: Upload) -> Outcome:
    """As `post`, and judge the time, the best of `TRIES`."""
    for _ in range(TRIES):
        outcome = post(api, pid, upload)
        allowed = SECONDS * max(1, os.getloadavg()[0] / os.cpu_count())
        if outcome.fault or outcome.seconds <= allowed:
            return outcome
    return replace(outcome, fault=f"took {outcome.seconds:.1f} s of {allowed:.1f} s")


def good(api: Api, pid: int) -> str | None:
    """What is wrong with the server after all that; None if a good photo works."""
    try:
        works = api.is_png(api.colorize("fruit.jpg", whole()["fruit.jpg"]))
    except (Refused, requests.RequestException) as error:
        return f"a good photo fails: {error}"
    states = [child.status() for child in psutil.Process(pid).children(recursive=True)]
    if psutil.STATUS_ZOMBIE in states:
        return "zombies are left"
    return None if works else "a good photo gives none"


def post_all(uploads: Iterable[Upload], total: int) -> list[Outcome]:
    """What becomes of all uploads and arrays, on a server of their own."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(f"sqlite:///{Path(folder) / 'study.sqlite'}", *UNLIMITED)
        try:
            api, pid = Api(server.url), server.process.pid
            good(api, pid)  # the first photo loads what all need
            progress = tqdm(uploads, "uploads", total, unit="", disable=None)
            for kind, group in itertools.groupby(progress, lambda upload: upload.kind):
                outcomes += [post_in_time(api, pid, upload) for upload in group]
                outcomes.append(Outcome(kind, GOOD, None, good(api, pid)))
        finally:
            server.stop()
    return outcomes


def hand_over_arrays() -> list[Outcome]:
    """What becomes of arrays in the place of photos, in this process."""
    from model.colorizer.pipeline import Colorizer

    colorizer, outcomes = Colorizer.load(), []
    for name, photo in arrays():
        said = fault = None
        try:
            colorizer.colorize(photo)
        except PhotoError as error:
            said = str(error)
            fault = None if is_one_sentence(said) else f"said {said!r}"
        except Exception:
            fault = traceback.format_exc()
        outcomes.append(Outcome(ARRAYS, name, said, fault))
    return outcomes


def table(found: list[Outcome]) -> pd.DataFrame:
    """A row for each class: files, pictures, sentences, faults, the slowest and the largest."""
    rows = pd.DataFrame(map(asdict, found)).rename(columns={"kind": "class"})
    return rows.groupby("class", sort=False).agg(
        files=("name", "size"),
        pictures=("said", lambda said: int(said.isna().sum())),
        sentences=("said", "count"),
        faults=("fault", "count"),
        slowest_s=("seconds", "max"),
        processor_s=("processor", "max"),
        peak_mb=("megabytes", "max"),
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.corpus", description="Post malformed and hostile uploads to the page."
    )
    parser.add_argument("--only", choices=CLASSES, help="one class, and nothing is written")
    parser.add_argument("--to", type=Path, default=RESULTS, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    kinds = [arguments.only] if arguments.only else list(CLASSES)
    found = post_all(corpus(kinds), sum(1 for _ in corpus(kinds)))
    if not arguments.only:
        found += hand_over_arrays()
    summary, faults = table(found), [asdict(outcome) for outcome in found if outcome.fault]
    print(summary.to_string(float_format="{:.2f}".format))
    for fault in faults:
        print(f"{fault['kind']}, {fault['name']!r}: {fault['fault']}", file=sys.stderr)
    if not arguments.only:
        without_upload = sum(outcome.kind == ARRAYS for outcome in found)
        good_photos = sum(outcome.name == GOOD for outcome in found)
        facts = {
            "uploads": len(found) - without_upload - good_photos,
            "arrays": without_upload,
            "good_photos": good_photos,
            "faults": faults,
            "limits": {"seconds": SECONDS, "megabytes": MEGABYTES},
            "machine": {"system": platform.system(), "processors": os.cpu_count()},
            "load": round(os.getloadavg()[1], 1),
            "classes": json.loads(summary.round(2).reset_index().to_json(orient="records")),
        }
        arguments.to.parent.mkdir(parents=True, exist_ok=True)
        arguments.to.write_text(json.dumps(facts, indent=1) + "\n")
    return 1 if faults else 0
