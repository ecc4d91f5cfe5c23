"""What PBS and LSF answer, as their manuals show it, is understood."""

import pytest

from baryon.errors import BaryonError
from baryon.sweeps.schedulers import LSF, PBS

ANSWERS = {
    "qstat": """\
Job Id: 4711.pbs
    Job_Name = baryon-0-abcdef
    Job_Owner = me@login1
    resources_used.walltime = 00:01:02
    job_state = R
    Variable_List = PBS_O_HOME=/home/me,PBS_O_LANG=C,
\tPBS_O_LOGNAME=me
    comment = Job run at Sat Nov 28 at 12:00

Job Id: 4712.pbs
    job_state = Q

Job Id: 4713.pbs
    job_state = H

Job Id: 4714.pbs
    job_state = F

Job Id: 4715.pbs
    job_state = E
""",
    "bjobs": "4711 RUN a\n4712 PEND b\n4713 PSUSP b\n4714 DONE c\n4715 SSUSP c\n4716 EXIT d\n"
    "4717 UNKWN d\n",
}


def answer(tmp_path, monkeypatch, program, text="", error="", code=0):
    (tmp_path / "out").write_text(text)
    (tmp_path / "err").write_text(error)
    (tmp_path / program).write_text(
        f"#!/bin/sh\ncat {tmp_path}/out\ncat {tmp_path}/err >&2\nexit {code}\n"
    )
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_states_of_pbs(tmp_path, monkeypatch):
    finished = (
        "qstat: 4716.pbs Job has finished, use -x or -H to obtain historical job information\n"
    )
    unknown = "qstat: Unknown Job Id 4717.pbs\n"
    answer(tmp_path, monkeypatch, "qstat", ANSWERS["qstat"], finished + unknown, 153)
    states = {"4711.pbs": False, "4712.pbs": True, "4713.pbs": True, "4715.pbs": False}
    queued = PBS().queued([])
    assert {number: job.waits for number, job in queued.items()} == states
    assert queued["4711.pbs"].name == "baryon-0-abcdef"


def test_states_of_lsf(tmp_path, monkeypatch):
    answer(tmp_path, monkeypatch, "bjobs", ANSWERS["bjobs"], "Job <4718> is not found\n", 255)
    states = {"4711": False, "4712": True, "4713": True, "4715": False, "4717": False}
    queued = LSF().queued([])
    assert {number: job.waits for number, job in queued.items()} == states
    assert [job.name for job in queued.values()] == ["a", "b", "b", "c", "d"]


@pytest.mark.parametrize(("scheduler", "program"), [(PBS(), "qstat"), (LSF(), "bjobs")])
def test_a_batch_system_that_is_silent_has_not_lost_its_jobs(
    tmp_path, monkeypatch, scheduler, program
):
    answer(tmp_path, monkeypatch, program, "", "cannot connect to server pbs (errno=111)\n", 1)
    assert scheduler.queued(["1"]) is None
    (tmp_path / program).unlink()
    assert scheduler.queued(["1"]) is None


@pytest.mark.parametrize(
    ("scheduler", "program", "text", "number"),
    [
        (PBS(), "qsub", "4711.pbs.site.org\n", "4711.pbs.site.org"),
        (PBS(), "qsub", "welcome\n4711\n", "4711"),
        (LSF(), "bsub", "Job <4711> is submitted to default queue <normal>.\n", "4711"),
    ],
)
def test_the_number_of_a_job(tmp_path, monkeypatch, scheduler, program, text, number):
    answer(tmp_path, monkeypatch, program, text)
    (tmp_path / "script").touch()
    assert scheduler.submit(tmp_path / "script") == number
    answer(tmp_path, monkeypatch, program, text, "qsub: Unauthorized\n Request", 1)
    with pytest.raises(BaryonError, match=r"took no job .*: qsub: Unauthorized Request"):
        scheduler.submit(tmp_path / "script")
    answer(tmp_path, monkeypatch, program, "yes?")
    with pytest.raises(BaryonError, match=r"took no job .*: yes\?"):
        scheduler.submit(tmp_path / "script")
