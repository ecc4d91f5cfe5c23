"""TensorBoard reads the files that are written without it."""

import math
import time

from tensorboard_reader import events

from baryon.tracking.event_file import EventFile, crc32c


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of RFC 3720's CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


def test_tensorboard_reads_what_was_written(tmp_path):
    file = EventFile(tmp_path, 1)
    file.scalars(1, {"a": 0.25, "größe": -3.5})
    file.scalars(2**40, {"a": math.inf, "b": 1e300})
    file.scalars(2**40 + 1, {"a": math.nan})
    scalars = events(tmp_path)  # while it is still open
    assert scalars["a"][:2] == [(1, 0.25), (2**40, math.inf)]
    assert math.isnan(scalars["a"][2][1])
    assert scalars["größe"] == [(1, -3.5)]
    assert scalars["b"] == [(2**40, math.inf)]  # beyond single precision
    file.close(finished=True)


def test_a_resumed_run_takes_the_place_of_the_steps_it_makes_again(tmp_path):
    first = EventFile(tmp_path, 1)
    for step in (1, 2, 3, 4):
        first.scalars(step, {"a": step})
    first.close(finished=False)
    time.sleep(0.01)  # the names sort by time
    second = EventFile(tmp_path, 3)
    for step in (3, 4, 5):
        second.scalars(step, {"a": 10 * step})
    second.close(finished=True)
    assert events(tmp_path)["a"] == [(1, 1), (2, 2), (3, 30), (4, 40), (5, 50)]
