"""The parameter servers' part of a run's summary."""

from baryon_comm.server.report import server_summary


def test_staleness_layer_by_layer():
    fc = {"index": 0, "staleness": {0: 1, 1: 3}, "dropped": 0, "momentum": 0.5, "bytes": 2**20}
    conv = {"index": 1, "staleness": {2: 4}, "dropped": 2, "momentum": None, "bytes": 2**19}
    work = {"updates": 8, "bytes": 2**21, "seconds": 0.5}
    answers = {4: {**work, "layers": {"conv": conv}}, 3: {**work, "layers": {"fc": fc}}}
    found = server_summary(answers, ["a", "a", "a", "b", "c"])
    assert found.metrics == {
        "staleness": (3 + 8) / 8, "dropped_gradients": 2.0, "effective_momentum": 0.5,
    }  # fmt: skip
    first, second = found.tables["layers"].rows
    assert first == ("fc", 3, 1.0, 4, 0.75, "0: 25%  1: 75%", 0.5)
    assert second[:2] == ("conv", 4)
    assert found.figures["staleness"].axes[0].get_yticklabels()[0].get_text() == "fc"
