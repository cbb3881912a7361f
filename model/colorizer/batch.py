"""Many photos, colorized in this process or by Ray Data on one machine or a cluster.

An engine takes a task and the work, and yields the outcome of each photo. Every engine runs the
same task, so that all of them write the same bytes.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from model.colorizer.output import fingerprint, save_png
from model.colorizer.pins import MAX_PINS, Pin, PinError
from model.colorizer.pipeline import GUESS, NO_OTHERS, Colorizer
from model.colorizer.spreading import DEFAULT_REACH, Reach
from model.photos import PhotoError, read_photo, shown_name

TOO_MANY_PINS = f"With so many pins, those of other versions exceed the limit of {MAX_PINS}."
# Photos that Ray hands to a worker at a time: fewer cost more overhead, more come out unevenly.
PHOTOS_AT_ONCE = 50

# Photos, each with the file that its result goes to.
Work = list[tuple[Path, Path]]


class EngineError(RuntimeError):
    """An engine that cannot work; the message is one sentence with the reason."""


@dataclass(frozen=True)
class Outcome:
    """The outcome for one photo.

    Attributes:
        failed: why there is no result, in a sentence; None if there is one.
        note: a remark on the result for the person who asked for it.
    """

    failed: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Task:
    """Colorize a photo into a file, with up to `alternatives` further versions beside it."""

    colorizer: Colorizer
    pins: tuple[Pin, ...] = ()
    reach: Reach = DEFAULT_REACH
    vividness: float = 1.0
    alternatives: int = 0

    def __call__(self, photo: Path, target: Path) -> Outcome:
        try:
            with _one_thread():
                return self._colorize(photo, target)
        except (PhotoError, PinError) as error:
            return Outcome(failed=str(error))
        except OSError as error:
            return Outcome(failed=f"{target} cannot be written: {error.strerror or error}.")

    def _colorize(self, photo: Path, target: Path) -> Outcome:
        prepared = self.colorizer.prepare(read_photo(photo))
        versions, notes = [()], []
        if self.alternatives:
            found = self.colorizer.alternatives(prepared, count=self.alternatives, reach=self.reach)
            versions += [pins for pins in found if len(pins) + len(self.pins) <= MAX_PINS]
            if not found:
                notes.append(NO_OTHERS)
            elif len(versions) == 1:
                notes.append(TOO_MANY_PINS)
            else:
                others = len(versions) - 1
                notes.append(f"{others} other version{'s' if others > 1 else ''}.")
        known_by = fingerprint(photo)
        target.parent.mkdir(parents=True, exist_ok=True)
        # `target` itself comes last: where it is, the others are too
        for number, version in reversed(list(enumerate(versions))):
            pins = [*version, *self.pins]
            colored = self.colorizer.colorize(
                prepared, pins=pins, reach=self.reach, vividness=self.vividness
            )
            save_png(colored, _numbered(target, number), photo=known_by)
        if note := self.colorizer.note_on_pins(prepared, self.pins):
            notes.append(note)
        if not self.colorizer.knows(prepared):
            notes.append(GUESS)
        return Outcome(note=f"{shown_name(photo)}: {' '.join(notes)}" if notes else None)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run the network in one thread: several add up in another order, and the bytes of results
    would depend on their number. Work at full size has threads of its own, pixel by pixel."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _numbered(target: Path, number: int) -> Path:
    return target.with_stem(f"{target.stem}-{number}") if number else target


def run_here(task: Task, work: Work) -> Iterator[Outcome]:
    """One photo after the other, in their order."""
    return (task(photo, target) for photo, target in work)


def run_on_ray(task: Task, work: Work, *, workers: int | None = None) -> Iterator[Outcome]:
    """Many photos at once, by `workers` processes (None: one for each processor); outcomes come in
    any order.

    The cluster is the one that RAY_ADDRESS names, or else this machine. Ray sends it this package
    with the weights; its machines need requirements-ray.txt, and must see the photos and the
    results' folder under the same names.

    Raises:
        EngineError: Ray is not installed, cannot reach its cluster (it tries for minutes), or lost
            its workers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else it reports to its makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray.data
    except ImportError:
        raise EngineError("--engine ray: install requirements-ray.txt first.") from None

    class Worker:  # Ray keeps the processes of a class, and not those of a function
        def __call__(self, row: dict[str, bytes]) -> dict[str, str | None]:
            photo, target = (Path(os.fsdecode(row[name])) for name in ("photo", "target"))
            return asdict(task(photo, target))

    # paths as bytes, since a name need not be text
    rows = [
        {"photo": os.fsencode(photo.absolute()), "target": os.fsencode(target.absolute())}
        for photo, target in work
    ]
    try:
        ray.init(
            include_dashboard=False,
            logging_level="ERROR",
            log_to_driver=False,
            runtime_env={"py_modules": [str(Path(__file__).parent.parent)]},
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        processors = ray.cluster_resources()["CPU"]
        workers = workers or int(processors)
        blocks = min(len(rows), max(4 * workers, len(rows) // PHOTOS_AT_ONCE))
        outcomes = ray.data.from_items(rows, override_num_blocks=blocks).map(
            Worker,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=min(1, processors / workers),
        )
        for row in outcomes.iter_rows():
            yield Outcome(**row)
    except (ray.exceptions.RayError, ConnectionError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise EngineError(f"--engine ray: {reason} (continue with --resume)") from None
    finally:
        ray.shutdown()
