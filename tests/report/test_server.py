"""A run is watched: by whom, what they get, what the page keeps, and how it ends."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from baryon.cli import main
from baryon.commands.watch import _run, _sweep
from baryon.errors import BaryonError
from baryon.report import server
from baryon.report.server import Shown, Watched, serve

BARYON = Path(sys.executable).parent / "baryon"


class Served:
    """A page that a test changes, on a server of its own."""

    def __init__(self):
        self.text, self.going, self.changes = "one", True, 0
        self.watched = Watched(lambda: self.changes, self._look)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=serve, args=(self.watched, 0, self._said))
        self._thread.start()
        assert self._ready.wait(10)

    def _look(self):
        text = self.text
        return Shown(lambda tag: f"<p data-tag='{tag}'>{text}", self.going)

    def _said(self, address):
        self.address = address
        self.port = int(address.rstrip("/").rpartition(":")[2])
        self._ready.set()

    def ask(self, method="GET", path="/", host=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(
            method, path, headers={"Host": host or f"127.0.0.1:{self.port}", **headers}
        )
        answer = connection.getresponse()
        found = answer.status, answer.read().decode(), dict(answer.getheaders())
        connection.close()
        return found

    def change(self, text, *, going=True):
        self.text, self.going = text, going
        self.changes += 1

    def end(self):
        self.change("end", going=False)
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(server, "SECONDS_TO_FETCH", 0.3)
    one = Served()
    yield one
    one.end()


def test_it_answers_with_the_page_and_only_when_it_is_another(served):
    status, text, headers = served.ask()
    assert (status, text.endswith(">one")) == (200, True)
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    tag = headers["ETag"]
    assert served.ask(**{"If-None-Match": tag})[:2] == (304, "")
    served.change("two")
    status, text, headers = served.ask(**{"If-None-Match": tag})
    assert (status, text.endswith(">two")) == (200, True)
    assert headers["ETag"] != tag
    status, text, headers = served.ask("HEAD")
    assert (status, text) == (200, "")
    assert int(headers["Content-Length"]) > 10


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_written(served, method):
    assert served.ask(method)[0] == 501


@pytest.mark.parametrize(
    "path", ["/metrics.jsonl", "/../etc/passwd", "/%2e%2e/x", "/?x=1", "http://127.0.0.1/"]
)
def test_there_is_one_path(served, path):
    assert served.ask(path=path)[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "localhost:1", "evil.example:{port}"]
)
def test_who_comes_under_another_name_is_sent_away(served, host):
    assert served.ask(host=host.format(port=served.port))[:2] == (403, "only for this machine\n")


def test_localhost_is_this_machine(served):
    assert served.ask(host=f"localhost:{served.port}")[0] == 200


def test_it_listens_on_the_loopback_alone(served):
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    port = f":{served.port:04X}"
    addresses = {line.split()[1] for line in table if line.split()[1].endswith(port)}
    assert addresses == {f"0100007F{port}"}
    everywhere = Path("/proc/net/tcp6").read_text() if Path("/proc/net/tcp6").exists() else ""
    assert f":{served.port:04X} 0000" not in everywhere


def test_a_run_that_has_vanished_is_said_and_not_a_traceback(served, monkeypatch):
    def gone():
        raise BaryonError("run=x does not exist")

    served.changes += 1
    with monkeypatch.context() as patch:
        patch.setattr(served.watched, "_look", gone)
        assert served.ask()[:2] == (410, "run=x does not exist\n")


def test_a_port_that_is_taken_is_one_line(tmp_path, write_run, going, capsys):
    run = write_run(tmp_path / "run", finished=False, provenance=going)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["watch", f"run={run}", f"port={port}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"port {port} cannot be used: Address already in use" in line
    assert "port=0 for any" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run=a", "sweep=b"], "give run=<dir> or sweep=<dir>, one of them"),
        (["port=3"], "give run=<dir> or sweep=<dir>, one of them"),
        (["run=a", "x=1"], "watch takes no 'x='; choose from: port=, run=, sweep="),
        (["run=a", "port=99999"], "port=99999 must be a whole number from 0"),
        (["run=a", "port=x"], "port=x must be a whole number from 0 to 65535"),
        (["run=nowhere"], "does not exist"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, said, capsys):
    assert main(["watch", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_what_has_ended_is_not_watched(tmp_path, write_run, write_sweep, capsys):
    run = write_run(tmp_path / "run")
    assert main(["watch", f"run={run}"]) == 0
    assert (
        f"is not running; make its report with `baryon report run={run}`" in capsys.readouterr().out
    )
    assert main(["watch", f"sweep={write_sweep(tmp_path / 'sweep')}"]) == 0
    assert "is not running" in capsys.readouterr().out


def test_a_sweep_is_watched_while_a_job_goes_on(tmp_path, write_sweep, write_run, going):
    path = write_sweep(tmp_path / "sweep")
    write_run(path / "5", finished=False, provenance=going)
    text = json.loads((path / "sweep.json").read_text())
    text["jobs"][5] |= {"state": "running", "run": "5"}
    (path / "sweep.json").write_text(json.dumps(text))
    shown = _sweep(path)()
    assert shown.going
    assert ">running<" in shown.page("tag")
    assert not _run(path / "0")().going


@pytest.fixture
def watching(tmp_path, environment, write_run, going):
    """`baryon watch` on a run that goes on: the process, its address and the run's folder."""
    log = [json.loads(line) for line in _lines(write_run(tmp_path / "pattern"))]
    run = write_run(tmp_path / "live", finished=False, provenance=going, log=log[:22])
    command = [BARYON, "watch", f"run={run}", "port=0"]
    process = subprocess.Popen(
        command,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_hear_ctrl_c,
    )
    said = process.stdout.readline()
    assert "watching live on http://127.0.0.1:" in said, process.stderr.read()
    yield process, said.split()[3], run, log
    process.kill()
    process.communicate()


def _hear_ctrl_c():
    """Tests that were started in the background of a shell are deaf to it, and what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _lines(run):
    return (run / "metrics.jsonl").read_text().splitlines()


@pytest.mark.slow
def test_ctrl_c_ends_it_quietly(watching):
    process, *_ = watching
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "stopped watching; live goes on" in out


@pytest.mark.slow
@pytest.mark.browser
def test_the_page_follows_and_keeps_what_was_chosen(watching, opened):
    process, address, run, log = watching
    page = opened(address, reduced_motion="reduce", viewport={"width": 1000, "height": 700})
    assert page.inner_text(".chip") == "running"
    assert "Step 20 of 40" in page.inner_text(".answer")
    page.locator("#chart-loss").get_by_role("button", name="log").click()
    page.check("#only-changed")
    page.evaluate("document.getElementById('packages').open = true")
    page.locator("#chart-loss .legend button").first.click()
    page.evaluate("window.scrollTo(0, 500)")
    with (run / "metrics.jsonl").open("a") as file:
        file.write("".join(json.dumps(line) + "\n" for line in log[22:36]))
    page.locator(".answer", has_text="Step 34 of 40").wait_for()
    assert page.evaluate("scrollY") == 500
    log_button = page.locator("#chart-loss").get_by_role("button", name="log")
    assert log_button.get_attribute("aria-pressed") == "false"
    hidden = page.locator("#chart-loss .legend button").first
    assert hidden.get_attribute("aria-pressed") == "false"
    assert page.is_checked("#only-changed")
    assert not page.locator("#config tr.same").first.is_visible()
    assert page.evaluate("document.getElementById('packages').open")
    with (run / "metrics.jsonl").open("a") as file:
        file.write("".join(json.dumps(line) + "\n" for line in log[36:]))
    pattern = run.parent / "pattern"
    for name in ("evaluation.json", "metrics.json"):  # now it finishes
        os.link(pattern / name, run / name)
    page.locator(".chip", has_text="finished").wait_for()
    page.locator("#live", has_text="ended").wait_for()
    assert page.locator("#results").count() == 1
    assert "Results" in page.inner_text("nav")
    order = page.eval_on_selector_all("main > section", "all => all.map(one => one.id)")
    assert order == [
        "head",
        "results",
        "curves",
        "time",
        "communication",
        "configuration",
        "provenance",
    ]
    assert page.complaints == []
    assert process.wait(30) == 0
    assert "live has ended; make its report with" in process.stdout.read()
    started = time.monotonic()
    assert page.inner_text("h1") == "live"  # the page stays when the server has gone
    assert time.monotonic() - started < 5
