"""Values agreed on while members die, in a simulated network: thousands of orders of events."""

import pickle
import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baryon_comm.membership.fault_tolerant_gather import FaultTolerantGather

CALLS = 4


class Message:
    def __init__(self, content):
        self._content = content

    def Recv(self, buffer):  # noqa: N802  MPI's names
        buffer[:] = self._content


class Sent:
    def Test(self):  # noqa: N802
        return True


class Status:
    def Get_source(self):  # noqa: N802
        return self.source

    def Get_count(self):  # noqa: N802
        return self.count


class Mpi:
    ANY_SOURCE = -1
    Exception = RuntimeError
    Status = Status


class ModelRunner:
    """Messages keep their order between two ranks, and arrive when the dice say so."""

    def __init__(self, ranks, dice):
        self.dice, self.dead = dice, set()
        self.under_way = {(a, b): deque() for a in range(ranks) for b in range(ranks)}
        self.arrived = {rank: deque() for rank in range(ranks)}
        self.known_dead = {rank: set() for rank in range(ranks)}

    def deliver(self):
        waiting = [pair for pair, messages in self.under_way.items() if messages]
        if waiting:
            source, target = self.dice.choice(waiting)
            content = self.under_way[source, target].popleft()
            self.arrived[target].append((source, content))

    def kill(self, rank):
        """What it had sent last may be lost."""
        self.dead.add(rank)
        for (source, _), messages in self.under_way.items():
            while source == rank and messages and self.dice.random() < 0.5:
                messages.pop()


class Wire:
    def __init__(self, network, rank):
        self.network, self.rank = network, rank

    def Isend(self, content, target, tag):  # noqa: N802
        self.network.under_way[self.rank, target].append(content.copy())
        return Sent()

    def Improbe(self, source, tag, status):  # noqa: N802
        if not self.network.arrived[self.rank]:
            return None
        status.source, content = self.network.arrived[self.rank].popleft()
        status.count = len(content)
        return Message(content)


class Member:
    """Makes the calls one after the other, computing for a while in between."""

    def __init__(self, network, rank, ranks):
        self.rank, self.results = rank, []
        known = network.known_dead[rank]
        self.object_gather = FaultTolerantGather(
            Mpi, Wire(network, rank), 0, range(ranks), lambda: known
        )
        self.life = self._live(network.dice)
        self.done = False

    def _live(self, dice):
        for call in range(CALLS):
            for _ in range(dice.randrange(4)):
                yield
                self.object_gather.poll()  # the progress engine does it while a rank computes
            gathering = self.object_gather.gather((self.rank, call))
            while True:
                try:
                    next(gathering)
                except StopIteration as end:
                    self.results.append((end.value, list(self.object_gather.ranks)))
                    break
                if dice.random() < 0.1:  # broken off, and made again
                    gathering = self.object_gather.gather((self.rank, call))
                yield
        self.done = True
        while True:
            self.object_gather.poll()
            yield


def happen(network, members, deaths):
    """One event more."""
    dice = network.dice
    alive = [member for member in members if member.rank not in network.dead]
    event = dice.random()
    if event < 0.45:
        network.deliver()
    elif event < 0.93:
        next(dice.choice(alive).life)
    elif event < 0.96 and deaths and len(alive) > 1:
        deaths.pop()
        network.kill(dice.choice(alive).rank)
    elif network.dead:
        network.known_dead[dice.choice(alive).rank].add(dice.choice(sorted(network.dead)))


@pytest.fixture(autouse=True)
def questions_at_once(monkeypatch):
    monkeypatch.setattr(
        "baryon_comm.membership.fault_tolerant_gather.SECONDS_BETWEEN_QUESTIONS", 0.0
    )


@given(seed=st.integers(0, 2**32), ranks=st.integers(1, 5), deaths=st.integers(0, 4))
def test_all_survivors_have_the_same_answers(seed, ranks, deaths):
    dice = random.Random(seed)  # noqa: S311  no secret
    network = ModelRunner(ranks, dice)
    members = [Member(network, rank, ranks) for rank in range(ranks)]
    to_die = [None] * deaths
    for _ in range(40_000):
        happen(network, members, to_die)
        if all(member.done for member in members if member.rank not in network.dead):
            break
    survivors = [member for member in members if member.rank not in network.dead]
    assert all(member.done for member in survivors), "some wait for ever"
    for call in range(CALLS):
        answers = {pickle.dumps(member.results[call]) for member in survivors}
        assert len(answers) == 1
        values, who = survivors[0].results[call]
        assert values == [(rank, call) for rank in who]
        assert {member.rank for member in survivors} <= set(who)
