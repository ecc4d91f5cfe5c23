"""What launchers and batch systems tell a process is understood."""

import pytest

from baryon.commands import launch
from baryon.commands.arguments import Arguments
from baryon.launch.environment import BatchJob, allocated_hosts, batch_job, cluster_environment


@pytest.mark.parametrize(
    ("variables", "rank", "local_rank"),
    [
        # jsrun of LSF, and Open MPI's mpiexec under PBS or LSF
        ({"OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "8",
          "OMPI_COMM_WORLD_LOCAL_RANK": "1", "LSB_JOBID": "7"}, 5, 1),
        # Cray's PALS, Intel's and MPICH's mpiexec under PBS
        ({"PMI_RANK": "5", "PMI_SIZE": "8", "PALS_LOCAL_RANKID": "2", "PBS_JOBID": "7.a"}, 5, 2),
        ({"PMI_RANK": "5", "PMI_SIZE": "8", "MPI_LOCALRANKID": "3", "PBS_JOBID": "7.a"}, 5, 3),
    ],
)  # fmt: skip
def test_ranks_in_jobs_of_pbs_and_lsf(variables, rank, local_rank):
    environment = cluster_environment(variables)
    assert (environment.rank, environment.ranks, environment.local_rank) == (rank, 8, local_rank)


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "7"}, BatchJob("Slurm", "7")),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"},
         BatchJob("Slurm", "7_2")),
        ({"PBS_JOBID": "7.pbs.org"}, BatchJob("PBS", "7.pbs.org")),
        ({"LSB_JOBID": "7", "LSB_JOBINDEX": "0"}, BatchJob("LSF", "7")),
        ({"LSB_JOBID": "7", "LSB_JOBINDEX": "3"}, BatchJob("LSF", "7[3]")),
    ],
)  # fmt: skip
def test_the_job_of_a_batch_system(variables, job):
    assert batch_job(variables) == job


def test_hosts_of_a_job(tmp_path):
    file = tmp_path / "hosts"
    file.write_text("node2\nnode2\nnode1\nnode1\n")
    assert allocated_hosts({}) == []
    assert allocated_hosts({"PBS_NODEFILE": str(file)}) == ["node2", "node1"]
    assert allocated_hosts({"LSB_DJOB_HOSTFILE": str(file)}) == ["node2", "node1"]
    assert allocated_hosts({"LSB_MCPU_HOSTS": "node2 16 node1 16"}) == ["node2", "node1"]
    gone = {"LSB_DJOB_HOSTFILE": str(tmp_path / "gone"), "LSB_HOSTS": "node2 node2 node1"}
    assert allocated_hosts(gone) == ["node2", "node1"]


def test_launch_in_a_job_of_several_hosts_says_that_it_takes_one(tmp_path, monkeypatch, capsys):
    (tmp_path / "hosts").write_text("node1\nnode2\n")
    monkeypatch.setenv("PBS_NODEFILE", str(tmp_path / "hosts"))
    monkeypatch.setenv("PBS_JOBID", "7.pbs")
    monkeypatch.setattr(launch, "launch_command", lambda ranks, command: ["true"])
    monkeypatch.setattr(launch, "follow", lambda command, environment: 0)
    monkeypatch.setattr(launch, "launch_environment", lambda ranks: {})
    assert launch.run(Arguments({"ranks": 4}, rest=["train"])) == 0
    said = capsys.readouterr().out
    assert "this PBS job 7.pbs has 2 hosts (node1, node2), but `baryon launch` starts" in said
