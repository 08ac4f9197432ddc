"""Draws: fair, to be checked by anybody, never more than there is, and never the same person twice where that is said."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples.event_platform.people import module

from examples.event_platform.draws import Draw, commitment_to, draw, problem_of, ranked

pytestmark = pytest.mark.anyio

SEEDS = st.binary(min_size=32, max_size=32).map(bytes.hex)
CANDIDATES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=20, unique=True)


@given(SEEDS, CANDIDATES, st.randoms())
def test_a_ranking_is_a_permutation_and_asks_for_no_order(seed, candidates, random):
    """Everybody is in it once, and in whatever order the rows came it is the same."""
    first = ranked(seed, "prize", 1, candidates)
    shuffled = [*candidates, candidates[0]]
    random.shuffle(shuffled)

    assert sorted(first) == sorted(candidates)
    assert ranked(seed, "prize", 1, shuffled) == first


@given(SEEDS, CANDIDATES)
def test_who_stays_away_changes_nothing_between_the_others(seed, candidates):
    """Without the winner the second wins: nobody gains by who else is there."""
    order = ranked(seed, "prize", 1, candidates)

    assert ranked(seed, "prize", 1, order[1:]) == order[1:]


def test_everybody_wins_about_as_often():
    """Of 4000 seeds each of eight candidates wins 500 times, give or take five standard deviations."""
    won = Counter(
        draw(commitment_to(f"{number:064x}"), "prize", 1, [f"par_{one}" for one in range(8)]).winner
        for number in range(4000)
    )

    assert len(won) == 8
    assert all(abs(times - 500) < 5 * (4000 * 1 / 8 * 7 / 8) ** 0.5 for times in won.values()), won


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"seed": "11" * 32}, "The seed is not the one that was committed to."),
        ({"seed": "no hex"}, "The seed is no hex, or there is nobody to draw from."),
        ({"candidates": []}, "The seed is no hex, or there is nobody to draw from."),
        ({"winner": "second"}, "The seed makes somebody else win."),
        ({"number": 2, "winner": "second"}, "The seed makes somebody else win."),
    ],
)
def test_whoever_changes_a_draw_is_found_out(change, problem):
    """Another seed, other candidates, another winner: whoever noted the commitment sees it."""
    honest = draw("00" * 32, "prize", 1, [f"par_{one}" for one in range(8)])
    order = ranked(honest.seed, honest.prize_id, change.get("number", 1), honest.candidates)
    change = {name: order[1] if value == "second" else value for name, value in change.items()}

    assert problem_of(honest.model_copy(update=change), commitment_to("00" * 32)) == problem


async def test_a_draw_keeps_what_was_promised(platform):
    """The commitment stands on the prize before the draw, the seed nowhere; the winner holds all it takes to check it."""
    people = await platform.people("olivia", "ada", "ben", "cleo")
    room, prize = await platform.raffle(people[0], people[1:])
    before = (await people[1].get(f"{room}/prizes"))[0]
    winner = await people[0].do("POST", f"{prize}/draws", {})
    after = (await people[1].get(f"{room}/prizes"))[0]
    told = Draw.model_validate(winner["metadata"]["draw"])
    present = {
        one["id"] for one in await people[1].get(f"{room}/participants") if one["role"] == "PARTICIPANT"
    }

    assert "seed" not in before
    assert problem_of(told, before["commitment"]) is None
    assert (set(told.candidates), told.winner, told.number) == (present, winner["participant_id"], 1)
    assert after["commitment"] != before["commitment"]
    assert (after["draws"], await people[1].get(f"{room}/winners")) == (1, [winner])


async def test_a_draft_promises_nothing_yet(platform):
    """There is a commitment from the moment on when the room is active, also for prizes that come later."""
    olivia = await platform.person("olivia")
    await platform.app()
    room = await platform.draft(olivia)
    drafted = await olivia.do("POST", f"{room}/prizes", {"title": "Early"})
    early = await olivia.refused("POST", f"{room}/prizes/{drafted['id']}/draws", {})
    await platform.publish(olivia, room)
    await olivia.do("POST", f"{room}/prizes", {"title": "Late"})
    commitments = [prize["commitment"] for prize in await olivia.get(f"{room}/prizes")]

    assert (drafted["commitment"], early) == (None, 409)
    assert [len(commitment) for commitment in commitments] == [64, 64]
    assert len({*commitments}) == 2


async def test_nobody_wins_twice_what_is_won_once(platform):
    """With `unique_winners` everybody wins once, and then nobody is left; leaving and coming again helps nobody."""
    olivia, ada, ben = await platform.people("olivia", "ada", "ben")
    room, prize = await platform.raffle(olivia, [ada, ben], quantity=3)
    first = await olivia.do("POST", f"{prize}/draws", {})
    await ada.do("POST", f"{room}/leave", status=204)
    await ada.do("POST", f"{room}/join", {})
    second = await olivia.do("POST", f"{prize}/draws", {})
    users = await platform.execute(
        "SELECT count(DISTINCT p.user_id) FROM winners w JOIN participants p ON p.id = w.participant_id"
    )

    assert first["participant_id"] != second["participant_id"]
    assert users == [(2,)]
    assert await olivia.refused("POST", f"{prize}/draws", {}) == 409


async def test_others_may_be_won_again_and_never_too_often(platform):
    """Without `unique_winners` one person may win everything there is, and no more."""
    olivia, ada = await platform.people("olivia", "ada")
    room, prize = await platform.raffle(olivia, [ada], quantity=2, unique_winners=False)
    for _ in range(2):
        await olivia.do("POST", f"{prize}/draws", {})

    assert await olivia.refused("POST", f"{prize}/draws", {}) == 409
    assert await olivia.refused("PATCH", prize, {"quantity": 1}) == 409
    assert await olivia.refused("DELETE", prize) == 409
    assert len(await olivia.get(f"{room}/winners")) == 2


@pytest.mark.parametrize("unique", [True, False])
async def test_a_win_is_revoked_and_drawn_again(platform, unique):
    """Whose win was revoked does not win that prize again; the history shows both, and the next seed is another one."""
    olivia, ada, ben = await platform.people("olivia", "ada", "ben")
    room, prize = await platform.raffle(olivia, [ada, ben], unique_winners=unique)
    first = await olivia.do("POST", f"{prize}/draws", {})
    await olivia.do("DELETE", f"{room}/winners/{first['id']}", status=204)
    again = await olivia.refused("DELETE", f"{room}/winners/{first['id']}")
    second = await olivia.do("POST", f"{prize}/draws", {})
    listed = await ada.get(f"{room}/winners?prize_id={prize.rpartition('/')[2]}")

    assert again == 404
    assert first["participant_id"] != second["participant_id"]
    assert [(one["id"], one["revoked_at"] is None) for one in listed] == [
        (first["id"], False),
        (second["id"], True),
    ]
    assert first["metadata"]["draw"]["seed"] != second["metadata"]["draw"]["seed"]


async def test_two_organizers_draw_at_once(platform):
    """Sixteen draws of five prizes, by two people at the same time: five winners, all different, each by its own draw."""
    olivia, otto, *guests = await platform.people("olivia", "otto", *(f"guest{n}" for n in range(8)))
    room, prize = await platform.raffle(olivia, guests, quantity=5)
    await olivia.do("POST", f"{room}/participants", {"user_id": otto.id, "role": "ORGANIZER"})
    answers = await asyncio.gather(
        *(person.ask("POST", f"{prize}/draws", {}) for _ in range(8) for person in (olivia, otto))
    )
    winners = await olivia.get(f"{room}/winners")

    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 11}
    assert len({winner["participant_id"] for winner in winners}) == 5
    assert [winner["metadata"]["draw"]["number"] for winner in winners] == [1, 2, 3, 4, 5]


async def test_sixteen_come_at_once_and_are_there_once(platform):
    """Whoever joins sixteen times at the same moment is in the room once."""
    olivia, ada = await platform.people("olivia", "ada")
    room, _ = await platform.raffle(olivia)
    answers = await asyncio.gather(*(ada.ask("POST", f"{room}/join", {}) for _ in range(16)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 15}
    assert len(await ada.get(f"{room}/participants?role=PARTICIPANT")) == 1


async def test_drawing_and_revoking_need_a_recent_proof(platform):
    """A session that is ten minutes old may look; for these it is told to prove itself again, and may then."""
    olivia, ada = await platform.people("olivia", "ada")
    room, prize = await platform.raffle(olivia, [ada], quantity=2)
    winner = await olivia.do("POST", f"{prize}/draws", {})
    platform.running.move(minutes=11)
    refusals = [
        await olivia.ask("POST", f"{prize}/draws", {}),
        await olivia.ask("DELETE", f"{room}/winners/{winner['id']}"),
    ]
    still = await olivia.get(f"{room}/winners")
    again = await platform.person("olivia")
    await again.do("DELETE", f"{room}/winners/{winner['id']}", status=204)

    assert [(one.status_code, one.json()["detail"]["code"]) for one in refusals] == [
        (403, "reauthentication_required")
    ] * 2
    assert still == [winner]


async def test_somebody_checks_a_draw_by_the_command(platform):
    """What the room shows goes in, and it says who won fairly; with another commitment, or nonsense, it says that."""
    olivia, ada = await platform.people("olivia", "ada")
    room, prize = await platform.raffle(olivia, [ada])
    (before,) = await olivia.get(f"{room}/prizes")
    winner = await olivia.do("POST", f"{prize}/draws", {})
    main = module("__main__")

    assert main.check(json.dumps(winner), before["commitment"]) == 0
    assert main.check(json.dumps(winner), "00" * 32) == 1
    assert [
        main.check(nonsense, "00" * 32) for nonsense in ("", "[]", "{}", '{"metadata": {"draw": 1}}')
    ] == [2] * 4
