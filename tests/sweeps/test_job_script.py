"""The script of a job is made of a template, which a site may replace."""

import json
import subprocess
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from baryon.config.schemas import LaunchByScript
from baryon.errors import BaryonError
from baryon.plugins.registry import host_conf
from baryon.sweeps import job_script
from baryon.sweeps.launcher import PlacedJob


def settings(launcher, **changes):
    values = OmegaConf.to_container(OmegaConf.load(host_conf() / "launch" / f"{launcher}.yaml"))
    return LaunchByScript(**(values | changes))


@pytest.fixture
def written(tmp_path):
    """Write a job's script, let bash check its syntax, and return its lines."""

    def write(launcher, **changes):
        job = PlacedJob("x", tmp_path / "a sweep" / "0-abcdef12", {"data.stage": "it's here"})
        job.folder.mkdir(parents=True, exist_ok=True)
        path = job_script.write(job.folder.parent, job, settings(launcher, **changes))
        subprocess.run(["bash", "-n", path], check=True)
        return path.read_text().splitlines()

    return write


LARGE = {
    "nodes": 2, "ranks": 8, "cpus_per_task": 4, "gpus_per_node": 4, "mem_gb": 32, "queue": "big",
    "account": "x1", "timeout_min": 245, "setup": ["module load mpi"],
}  # fmt: skip
DIRECTIVES = {
    "pbs": [
        "#PBS -N baryon-0-abcdef", "#PBS -j oe", '#PBS -o "{log}"', "#PBS -r n",
        "#PBS -l select=2:ncpus=16:mpiprocs=4:ngpus=4:mem=32gb", "#PBS -l place=scatter",
        "#PBS -l walltime=04:05:00", "#PBS -q big", "#PBS -A x1", "#PBS -M me@site.org",
    ],
    "lsf": [
        "#BSUB -J baryon-0-abcdef", '#BSUB -o "{log}"', "#BSUB -rn", "#BSUB -n 8",
        '#BSUB -R "span[ptile=4]"', '#BSUB -R "affinity[core(4)]"',
        '#BSUB -R "rusage[mem=32GB/host]"', '#BSUB -gpu "num=4/host"', "#BSUB -W 245",
        "#BSUB -q big", "#BSUB -P x1", "#BSUB -M me@site.org",
    ],
}  # fmt: skip


@pytest.mark.parametrize("launcher", ["pbs", "lsf"])
def test_a_job_asks_for_what_the_config_says(written, tmp_path, launcher):
    lines = written(launcher, **LARGE, directives=["-M me@site.org"])
    log = tmp_path / "a sweep" / ".batch" / "0-abcdef12.log"
    expected = [line.format(log=log) for line in DIRECTIVES[launcher]]
    assert lines[0] == "#!/bin/bash"
    assert lines[1 : len(expected) + 1] == expected
    (start,) = [line for line in lines if line.startswith("timeout ")]
    assert " $((14580 - SECONDS)) mpiexec -n 8 " in start  # 245 minutes but for two
    assert lines.index("module load mpi") < lines.index(start)
    assert "export OMP_NUM_THREADS=4" in lines
    assert f"cd {Path.cwd()} || exit 1" in lines


@pytest.mark.parametrize("launcher", ["pbs", "lsf"])
def test_a_small_job_asks_for_no_more_than_it_must(written, launcher):
    lines = written(launcher)
    directives = [line for line in lines if line.startswith(("#PBS", "#BSUB"))]
    assert not [line for line in directives if "None" in line or " -q" in line or "gpu" in line]
    assert not [line for line in lines if "mpiexec" in line]


def test_values_reach_the_job_as_they_are(written, monkeypatch):
    monkeypatch.setenv("BARYON_DISABLE", "a b")
    exports = "\n".join(line for line in written("pbs") if line.startswith("export "))
    command = f'{exports}; printf \'%s|%s\' "$BARYON_JOB_ASKED" "$BARYON_DISABLE"'
    said = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True)
    asked, disabled = said.stdout.split("|")
    assert json.loads(asked) == {"data.stage": "it's here"}
    assert disabled == "a b"


def test_a_site_gives_a_template_of_its_own(written, tmp_path):
    site = tmp_path / "torque.sh.j2"
    site.write_text(
        '#!/bin/bash\n#PBS -l nodes={{ nodes }}:ppn={{ ranks_per_node }}\n{% include "body" %}'
    )
    lines = written("pbs", template=str(site), nodes=2, ranks=4)
    assert lines[1] == "#PBS -l nodes=2:ppn=2"
    assert [line for line in lines if "mpiexec -n 4" in line]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file or directory"),
        ("{% for x %}", "site.j2, line 1 cannot be used: TemplateSyntaxError: "),
        ("{{ walltme }}", "UndefinedError: 'walltme' is undefined"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError: "),
        ("{% include '/etc/passwd' %}", "TemplateNotFound: "),
    ],
)
def test_a_template_that_cannot_be_used_is_one_line(written, tmp_path, text, says):
    site = tmp_path / "site.j2"
    if text:
        site.write_text(text)
    with pytest.raises(BaryonError, match=r"launch\.template: ") as error:
        written("pbs", template=str(site))
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"signal_delay_s": 60, "timeout_min": 1}, r"signal_delay_s=60 must be less than the time"),
        ({"queue": "a\n#PBS -l x"}, "launch.queue must be a line of a job's script"),
        ({"directives": ["-l x", ""]}, "launch.directives must be a line"),
        ({"ranks": 3, "nodes": 2}, r"launch.ranks=3 is no multiple of launch.nodes=2"),
    ],
)
def test_settings_that_make_no_script_are_refused(changes, says):
    with pytest.raises(BaryonError, match=says):
        settings("pbs", **changes)


def test_a_link_in_the_place_of_the_scripts_is_not_followed(written, tmp_path):
    (tmp_path / "a sweep").mkdir()
    (tmp_path / "a sweep" / ".batch").symlink_to(tmp_path)
    with pytest.raises(BaryonError, match=r"\.batch is a link, which is not followed"):
        written("pbs")


def test_the_template_of_the_docs_can_be_used(written, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text()
    (block,) = [part for part in page.split("```") if part.endswith('{% include "body" %}\n')]
    site = tmp_path / "torque.sh.j2"
    site.write_text(block.removeprefix("text\n"))
    lines = written("pbs", template=str(site), ranks=4)
    assert lines[4] == "#PBS -l nodes=1:ppn=4,walltime=01:00:00"
