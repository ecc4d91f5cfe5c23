"""PBS's and LSF's commands as their manuals describe them, for jobs that run on this machine.

Called as qsub, qstat, qdel, qsig, bsub, bjobs or bkill; the jobs lie as files below $BATCH_SYSTEM,
with at most $BATCH_SLOTS at a time. A job gets a new environment, not that of who submits it.
"""

import fcntl
import getopt
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(os.environ["BATCH_SYSTEM"])
SERVER = "pbs.example.org"
OPTIONS = {"qsub": "N:j:o:r:l:q:A:M:", "bsub": "J:o:n:R:g:W:q:P:r:u:x"}
"""Those of qsub(1B) and bsub(1) that may stand in a script here."""


def field(job: Path, name: str, value: str | None = None) -> str:
    if value is not None:
        new = job / f".{name}.{os.getpid()}"
        new.write_text(value)
        new.replace(job / name)
    return (job / name).read_text()


def submit(system: str, text: str) -> None:
    if (ROOT / "refuses").exists():
        sys.exit(f"{system}: {(ROOT / 'refuses').read_text()}")
    mark = {"qsub": "#PBS ", "bsub": "#BSUB "}[system]
    options: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith(mark):
            words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line[len(mark) :])]
            for name, value in getopt.getopt(words, OPTIONS[system])[0]:
                options.setdefault(name, []).append(value)
    with (ROOT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        number = len(list(ROOT.glob("job-*"))) + 1
        new = ROOT / f".job-{number}"
        new.mkdir()
        (new / "script").write_text(text)
        (new / "log").write_text(options["-o"][0])
        (new / "name").write_text((options.get("-N") or options["-J"])[0])
        (new / "state").write_text("waiting")
        job = new.rename(ROOT / f"job-{number}")  # which others see whole
    with (job / "spool").open("w") as spool:
        subprocess.Popen(
            [sys.executable, "-S", __file__, "run", system, str(number)],
            stdin=subprocess.DEVNULL, stdout=spool, stderr=spool, start_new_session=True,
        )  # fmt: skip
    told = {"qsub": f"{number}.{SERVER}", "bsub": f"Job <{number}> is submitted to queue <normal>."}
    print(told[system])


def run(system: str, number: str) -> None:
    """Wait for a slot, run the script, and keep its log as the batch system would."""
    job = ROOT / f"job-{number}"
    while True:
        with (ROOT / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if field(job, "state") == "ended":
                return
            states = {
                int(path.parent.name[4:]): path.read_text() for path in ROOT.glob("job-*/state")
            }
            free = list(states.values()).count("running") < int(os.environ["BATCH_SLOTS"])
            first = min(other for other, state in states.items() if state == "waiting")
            if free and first == int(number) and not (ROOT / "paused").exists():
                field(job, "state", "running")
                break
        time.sleep(0.02)
    own = {"qsub": {"PBS_JOBID": f"{number}.{SERVER}"}, "bsub": {"LSB_JOBID": number}}[system]
    hosts = job / "hosts"
    hosts.write_text("localhost\n")
    own |= {"PBS_NODEFILE": str(hosts)} if system == "qsub" else {"LSB_DJOB_HOSTFILE": str(hosts)}
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), **own}
    with Path(field(job, "log")).open("w") as log:
        process = subprocess.Popen(
            ["/bin/bash", str(job / "script")], cwd="/", env=environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        field(job, "process", str(process.pid))
        code = process.wait()
    field(job, "code", str(code))
    field(job, "state", "ended")


def jobs(words: list[str]) -> list[tuple[str, Path]]:
    return [(word, ROOT / f"job-{word.partition('.')[0]}") for word in words]


def tell(job: Path, number: int) -> None:
    """Send a signal to all processes of a job, as both systems do."""
    while not (job / "process").exists():
        time.sleep(0.01)
    os.killpg(int(field(job, "process")), number)


def cancel(job: Path) -> None:
    with (ROOT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waits = field(job, "state") == "waiting"
        if waits:
            field(job, "state", "ended")
    if not waits:
        tell(job, signal.SIGTERM)


def main(program: str, words: list[str]) -> None:
    if (ROOT / "silent").exists():
        sys.exit(f"{program}: cannot connect to server {SERVER} (errno=15010)")
    if program == "qsub":
        submit(program, Path(words[0]).read_text())
    elif program == "bsub":
        submit(program, sys.stdin.read())
    elif program == "qstat":
        assert words[0] == "-f"
        codes = {"waiting": "Q", "running": "R"}
        complaints = 0
        for word, job in jobs(words[1:]):
            state = field(job, "state") if job.exists() else ""
            if state in codes:
                print(f"Job Id: {word}\n    Job_Name = {field(job, 'name')}")
                print(f"    job_state = {codes[state]}\n")
            elif state:
                history = "use -x or -H to obtain historical job information"
                print(f"qstat: {word} Job has finished, {history}", file=sys.stderr)
                complaints = 35
            else:
                print(f"qstat: Unknown Job Id {word}", file=sys.stderr)
                complaints = 153
        sys.exit(complaints)
    elif program == "bjobs":
        assert words[:3] == ["-noheader", "-o", "jobid stat job_name"]
        codes = {"waiting": "PEND", "running": "RUN", "ended": "DONE"}
        for word, job in jobs(words[3:]):
            if job.exists():
                print(word, codes[field(job, "state")], field(job, "name"))
            else:
                print(f"Job <{word}> is not found", file=sys.stderr)
    elif program == "qsig":
        assert words[:2] == ["-s", "SIGUSR1"]
        for _, job in jobs(words[2:]):
            tell(job, signal.SIGUSR1)
    elif program == "bkill" and words[0] == "-s":
        for _, job in jobs(words[2:]):
            tell(job, getattr(signal, f"SIG{words[1]}"))
    else:
        for _, job in jobs(words):
            cancel(job)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(*sys.argv[2:])
    else:
        main(Path(sys.argv[0]).name, sys.argv[1:])
