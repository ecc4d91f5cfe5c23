from mutants import DAMAGES, mutants

SOURCE = bytes(range(256)) * 8


def test_mutants_follow_from_the_seed():
    first, again, other = (list(mutants(SOURCE, 70, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_mutants_are_damaged_in_every_way_and_say_how():
    damaged = list(mutants(SOURCE, 10 * len(DAMAGES), 1))
    assert len(damaged) == 10 * len(DAMAGES)
    lengths = [len(data) - len(SOURCE) for _, data in damaged]
    assert min(lengths) < 0 < max(lengths)
    assert sum(data != SOURCE for _, data in damaged) > 0.9 * len(damaged)
    ways = ("flipped", "truncated", "deleted", "set to", "inserted", "overwritten", "copied")
    for way in ways:
        assert sum(way in description for description, _ in damaged) == 10


def test_mutants_of_one_byte():
    assert len(list(mutants(b"x", 50, 1))) == 50
