from baryon_comm.strategy.history import MAX_ENTRIES, History


def test_a_short_history_is_kept_whole():
    history = History()
    for step in (1, 2, 3):
        history.add(step, 10.0 * step)
    assert history.entries() == [(1, 10.0), (2, 20.0), (3, 30.0)]


def test_a_long_history_is_bounded_and_keeps_its_mean_and_its_end():
    history = History()
    steps = 64 * MAX_ENTRIES
    for step in range(1, steps + 1):
        history.add(step, float(step))
    entries = history.entries()
    assert len(entries) < MAX_ENTRIES
    assert entries[-1][0] == steps
    assert sum(value for _, value in entries) / len(entries) == (steps + 1) / 2
