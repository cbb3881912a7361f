"""Who visits the page, and whose turn it is in the queue."""

import ipaddress
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

# Number of colorizations that may wait: in all, of one address, and of one tab of a browser.
WAITING, WAITING_OF_ADDRESS, WAITING_OF_SESSION = 200, 100, 20

Share = tuple[str, ...]


@dataclass(frozen=True)
class Visitor:
    """A tab of a browser, or the programs at one address.

    Attributes:
        address: as `address_of` gives it.
        session: of the tab; "" for all programs that call the API without naming a session.
    """

    address: str
    session: str

    @property
    def shares(self) -> tuple[Share, Share]:
        """The address has a share of the server, the session a share of the address."""
        return (self.address,), (self.address, self.session)


class Turns:
    """Gives turns fairly among addresses, and among the sessions of an address.

    The next turn goes to the address with the fewest colorizations running and, of those, to the
    one whose colorizations took the least time; likewise among its sessions. Large photos take
    longer, so their owner gets fewer turns. A newcomer starts level with the visitor in the queue
    who has had least. A visitor who leaves is remembered until the others have had as much;
    otherwise visitors who keep coming back would always be served before one who waits.
    """

    def __init__(self) -> None:
        self._running: Counter[Share] = Counter()
        self._seconds: dict[Share, float] = {}

    def admits(self, visitor: Visitor, waiting: Sequence[Visitor]) -> bool:
        """Whether another colorization of `visitor` may join those that wait."""
        of_address = [other for other in waiting if other.address == visitor.address]
        return (
            len(waiting) < WAITING
            and len(of_address) < WAITING_OF_ADDRESS
            and of_address.count(visitor) < WAITING_OF_SESSION
        )

    def next(self, waiting: Sequence[Visitor]) -> int:
        """The place in `waiting`, which is in order of arrival, of the next turn."""
        self._settle(waiting)

        def burden(share: Share) -> tuple[int, float]:
            return self._running[share], self._seconds[share]

        address = min(waiting, key=lambda visitor: burden(visitor.shares[0])).address
        places = [place for place, visitor in enumerate(waiting) if visitor.address == address]
        return min(places, key=lambda place: burden(waiting[place].shares[1]))

    def begin(self, visitor: Visitor) -> None:
        """A turn of `visitor` begins."""
        self._running.update(visitor.shares)

    def end(self, visitor: Visitor, seconds: float) -> None:
        """A turn of `visitor` ends, which took that long."""
        for share in visitor.shares:
            self._running[share] -= 1
            self._seconds[share] = self._seconds.get(share, 0) + seconds

    def _settle(self, waiting: Sequence[Visitor]) -> None:
        """Forget visitors who have left, and place newcomers."""
        self._running = +self._running
        present = {share for visitor in waiting for share in visitor.shares} | {*self._running}
        levels: dict[Share, float] = {}  # by the share's peers: the least that one of them has had
        for share in present & self._seconds.keys():
            peers = share[:-1]
            levels[peers] = min(self._seconds[share], levels.get(peers, math.inf))
        self._seconds = {
            share: seconds
            for share, seconds in self._seconds.items()
            if share in present or seconds > levels.get(share[:-1], math.inf)
        }
        for share in present:
            self._seconds.setdefault(share, levels.get(share[:-1], 0))


def address_of(scope: Scope) -> str:
    """The address by which a client's requests are counted: of IPv6 the network, since a client has
    a whole network to itself."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))
