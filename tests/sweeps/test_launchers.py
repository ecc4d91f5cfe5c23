"""Jobs on several cores, and jobs of several ranks."""

import signal

import pytest

pytestmark = pytest.mark.slow

WIDTHS = "model.width=2,3"


def test_jobs_on_several_cores_have_their_own_gpus_are_stopped_and_gone_on_with(
    begin, sweep_here, left, whole
):
    """Both run at the time of the signal; what they say goes into files of their own."""
    both = ("launch=cores", "launch.jobs=2", WIDTHS)
    begun = "runs/sweep-*/1-*/checkpoints/last.pt"
    process = begin(*both, until=begun, pause="0.4", CUDA_VISIBLE_DEVICES="5,7")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert left().states == ["waiting", "waiting"], out
    assert out.count("begins") == 2
    assert "stopped; the same command resumes it" in out
    assert "validation loss" not in out
    outputs = [(left().path / job["run"] / "output.txt").read_text() for job in left().jobs]
    assert {said.partition("GPUs: ")[2][0] for said in outputs} == {"5", "7"}
    for said in outputs:
        assert "steps 1 to 12" in said
        assert "stopped by SIGUSR1 after step " in said
    done = sweep_here(WIDTHS)  # now one after another
    assert "2 jobs: 2 resuming from a checkpoint" in done.stdout
    assert left().same_as(whole)


@pytest.mark.mpi
def test_a_job_of_several_ranks_fails_with_the_error_of_its_ranks(sweep_here, left):
    job = ("launch.ranks=2", "comm=sync", "model.width=3,3", "train.steps=2")
    done = sweep_here(*job, jobs_too=False, TOY_FAILS="3")
    assert done.returncode == 1
    assert "warning: job 0 (model.width=3): a net of width 3 cannot be" in done.stdout
    assert left().jobs[0]["error"].startswith("a net of width 3 cannot be (rank 0 on ")
