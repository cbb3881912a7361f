"""Who a rater is to the recruiting service, as the address of the page tells."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from study.db.queries import rater_number

MAX_ID = 100  # Characters of each parameter that identifies a rater.
NAMES = ("PROLIFIC_PID", "rater")  # Parameters that identify a rater; the first one given counts.
VISIT = ("STUDY_ID", "SESSION_ID")  # Further parameters of a recruiting service.

# Characters of the places that a survey tool fills in, and of letters that were badly encoded.
NEVER = re.compile(r"[{}\[\]<>%\\\N{REPLACEMENT CHARACTER}]|://")
# What stands where nothing was filled in: words for nothing, and names of parameters.
WORDS = r"""
    undefined null none nil nan true false object unknown unset empty missing anonymous placeholder
    not unavailable available insert enter paste replace your here the example
    prolific mturk sona worker assignment hit participant subject respondent response panelist user
    rater survey study session field external reference ref code token value param name
    id ids pid uid rid uuid guid n/a x{2,} [\W_]
""".split()
UNFILLED = re.compile(rf"(?:{'|'.join(WORDS)}|\bna\b)+|0{{8}}-(?:0{{4}}-){{3}}0{{12}}")


@dataclass(frozen=True)
class Identity:
    """The names that a recruiting service has for a rater, for its study and for this visit."""

    external_id: str
    study_ref: str = ""
    session_ref: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str] | Iterable[tuple[str, str]]) -> "Identity | None":
        """The identity in the parameters of an address; None: they name nobody.

        Capitals in the names of parameters do not matter.

        Raises:
            ValueError: a name in them cannot be one (`can_be_id`), or one parameter has two values.
        """
        given = parameters.items() if isinstance(parameters, Mapping) else parameters
        known = {name.casefold(): name for name in (*NAMES, *VISIT)}
        found: dict[str, str] = {}
        for key, value in given:
            if name := known.get(key.strip().casefold()):
                value = unicodedata.normalize("NFC", str(value).strip())
                if found.setdefault(name, value) != value:
                    raise ValueError(f"two values of {name}")
        if not found:
            return None
        who = next((found[name] for name in NAMES if name in found), "")
        visit = [found.get(name, "") for name in VISIT]
        if not all(can_be_id(name) for name in (who, *filter(None, visit))):
            raise ValueError(f"not the names of a rater and a visit: {[who, *visit]}")
        return cls(who, *visit)


def can_be_id(text: str) -> bool:
    """Whether `text` can be the ID of one person, and not what many links have in common.

    >>> [can_be_id(text) for text in ("5f3c09ab", "Müller 7", "rater-1", "jo@example.org")]
    [True, True, True, True]
    >>> [can_be_id(text) for text in ("{{PID}}", "...", "workerId", "ASSIGNMENT_ID_NOT_AVAILABLE")]
    [False, False, False, False]
    """
    return (
        len(text) <= MAX_ID
        and text.isprintable()
        and any(each.isalnum() for each in text)
        and rater_number(text) is None
        and not NEVER.search(text)
        and not UNFILLED.fullmatch(text.lower())
    )
