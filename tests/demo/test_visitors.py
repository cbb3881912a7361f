"""The queue of colorizations is fair and bounded."""

from demo.server import visitors
from demo.server.visitors import Turns, Visitor

ALICE, BOB, CAROL, DAVE = (
    Visitor(f"192.0.2.{number}", f"session {number}") for number in range(1, 5)
)


def served(turns: Turns, waiting: list[Visitor], seconds: dict[Visitor, float]) -> list[Visitor]:
    """In which order they are served, one after the other."""
    waiting, order = list(waiting), []
    while waiting:
        visitor = waiting.pop(turns.next(waiting))
        turns.begin(visitor)
        turns.end(visitor, seconds.get(visitor, 1))
        order.append(visitor)
    return order


def test_a_visitor_with_many_photos_does_not_stop_the_others():
    order = served(Turns(), [ALICE] * 20 + [BOB, CAROL, BOB], {})
    assert order[:6] == [ALICE, BOB, CAROL, ALICE, BOB, ALICE]


def test_slow_photos_cost_more_turns():
    order = served(Turns(), [ALICE] * 3 + [BOB] * 6, {ALICE: 3, BOB: 1})
    assert order == [ALICE, BOB, BOB, BOB, ALICE, BOB, BOB, BOB, ALICE]


def test_a_visitor_whose_photo_is_running_waits_for_the_others():
    turns = Turns()
    turns.begin(ALICE)
    assert turns.next([ALICE, BOB]) == 1


def test_many_sessions_at_one_address_have_the_share_of_one():
    class_room = [Visitor(ALICE.address, f"session {number}") for number in range(4)]
    order = served(Turns(), [*class_room, BOB, BOB, BOB], {})
    assert [visitor.address for visitor in order[:6]] == [ALICE.address, BOB.address] * 3
    order = served(Turns(), [class_room[0]] * 3 + class_room[1:3], {})
    assert order[:3] == class_room[:3], "among themselves they take turns too"


def test_a_newcomer_starts_level_and_a_visitor_who_left_is_forgotten():
    turns = Turns()
    served(turns, [ALICE] * 5, {})
    assert turns.next([ALICE, BOB]) == 0, "a newcomer is not owed what others had before"
    served(turns, [CAROL], {CAROL: 100})
    served(turns, [BOB], {})
    assert turns.next([CAROL, BOB]) == 0


def test_visitors_who_keep_coming_back_do_not_starve_one_who_waits():
    turns, waiting, order, away = Turns(), [ALICE, ALICE, BOB, CAROL, DAVE], [], []
    for _ in range(20):
        visitor = waiting.pop(turns.next(waiting))
        waiting += away
        turns.begin(visitor)
        turns.end(visitor, 5 if visitor == ALICE else 1)
        order.append(visitor)
        away = [visitor] if visitor != ALICE else []
    assert order.count(ALICE) == 2


def test_each_visitor_each_address_and_all_together_may_have_so_much_waiting(monkeypatch):
    monkeypatch.setattr(visitors, "WAITING_OF_SESSION", 2)
    monkeypatch.setattr(visitors, "WAITING_OF_ADDRESS", 3)
    monkeypatch.setattr(visitors, "WAITING", 4)
    turns, beside_alice = Turns(), Visitor(ALICE.address, "another")
    assert turns.admits(ALICE, [ALICE])
    assert not turns.admits(ALICE, [ALICE, ALICE])
    assert turns.admits(beside_alice, [ALICE, ALICE])
    assert not turns.admits(beside_alice, [ALICE, ALICE, beside_alice])
    assert turns.admits(BOB, [ALICE, ALICE, beside_alice])
    assert not turns.admits(CAROL, [ALICE, ALICE, beside_alice, BOB])
