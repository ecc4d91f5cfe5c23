"""A config from its options, the command line's last word, and errors of one line."""

import pytest
import yaml
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.plugins import Plugins as HydraPlugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from baryon.cli import main
from baryon.config.option_values import option_values
from baryon.plugins.registry import discover

RUN = ("dataset=hep_images", "model=hep_cnn", "dataset.train=events.h5")

TOY = {
    "__init__.py": """
from baryon import hookimpl

@hookimpl
def baryon_evaluators():
    return {"toy_count": "PACKAGE.count:Count"}
""",
    "conf/evaluator/toy_count.yaml": "# Counts the samples\nunit: events\n",
    "conf/evaluator/toy_count_jets.yaml": "# Counts jets\n"
    "defaults: [toy_count, _self_]\nname: toy_count\nunit: jets\n",
    "count.py": '''
from baryon.interfaces import Evaluation

class Count:
    """How many samples came."""

    def __init__(self, *, unit: str) -> None:
        self.unit, self.samples = unit, 0

    def update(self, output, batch):
        self.samples += len(output)

    def state(self):
        return self.samples

    def merge(self, state):
        self.samples += state

    def result(self):
        return Evaluation(f"{self.samples} {self.unit}", {"samples": self.samples})
''',
}


@pytest.fixture(scope="module")
def toy(install):
    return {"PYTHONPATH": str(install({"acme": {"toy": TOY}}))}


@pytest.fixture
def composed(baryon, environment):
    """The config that `baryon train <arguments>` would run."""

    def run(*arguments: str, **changes: str) -> dict:
        done = baryon("train", *arguments, "--cfg", "job", env=environment | changes)
        assert (done.returncode, done.stderr) == (0, "")
        return yaml.safe_load(done.stdout)

    return run


@pytest.fixture
def error(tmp_path, monkeypatch, capsys):
    """The one line that `baryon train <arguments>` fails with, without the prefix."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        assert main(["train", *arguments]) == 1
        said = capsys.readouterr().err
        assert said.startswith("baryon: error: ")
        assert said.count("\n") == 1
        return said.removeprefix("baryon: error: ")

    return run


@pytest.fixture
def study(tmp_path):
    """A user's own folder of options with an experiment of their own."""
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "my_study.yaml").write_text(
        "# @package _global_\n"
        "defaults: [override /dataset: hep_images, override /model: hep_cnn]\n"
        "dataset: {train: mine.h5}\n"
        "train: {epochs: 77, batch_size: 7}\n"
        "model: {filters: 7}\n"
    )
    return ("--config-dir", "mine", "experiment=my_study")


def test_an_override_changes_its_key_and_nothing_else(composed):
    plain = composed(*RUN)
    changed = composed(*RUN, "model.filters=5")
    assert changed["model"]["filters"] == 5
    plain["model"]["filters"] = 5
    assert changed == plain


def test_flags_may_stand_anywhere_among_the_overrides(composed):
    first, *others = RUN
    assert composed(*RUN, "seed=5") == composed(first, "--cfg", "job", *others, "seed=5")


def test_the_dataset_picks_its_fields_usual_loss_and_evaluator(composed):
    config = composed(*RUN)
    assert config["loss"]["name"] == "hep_cross_entropy"
    assert config["evaluator"]["name"] == "hep_roc"


def test_the_command_line_overrides_what_the_dataset_picks(composed, toy):
    config = composed(*RUN, "evaluator=toy_count", "loss.weighting=log", **toy)
    assert config["evaluator"] == {"unit": "events"}
    assert config["loss"]["weighting"] == "log"


def test_an_experiment_wins_over_the_options_defaults(composed, study):
    config = composed(*study)
    assert config["model"]["filters"] == 7
    assert (config["train"]["epochs"], config["train"]["batch_size"]) == (77, 7)
    assert config["dataset"]["train"] == "mine.h5"


def test_the_command_line_wins_over_the_experiment(composed, study):
    config = composed(*study, "model.filters=3", "train.epochs=2")
    assert config["model"]["filters"] == 3
    assert (config["train"]["epochs"], config["train"]["batch_size"]) == (2, 7)


def test_a_folder_of_ones_own_cannot_shadow_a_shipped_option(composed, study, tmp_path):
    (tmp_path / "mine" / "model").mkdir()
    (tmp_path / "mine" / "model" / "hep_cnn.yaml").write_text("name: hep_cnn\nfilters: 666\n")
    (tmp_path / "mine" / "train").mkdir()
    (tmp_path / "mine" / "train" / "default.yaml").write_text("epochs: 666\n")
    plain = composed(*RUN)
    assert composed("--config-dir", "mine", *RUN) == plain


def test_an_option_of_ones_own_of_another_name_can_be_chosen(composed, tmp_path):
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "my_cnn.yaml").write_text(
        "defaults: [hep_cnn, _self_]\nfilters: 3\n"
    )
    model = composed("--config-dir", "mine", *RUN, "model=my_cnn")["model"]
    assert (model["name"], model["filters"]) == ("hep_cnn", 3)


def test_a_file_beside_the_user_that_is_called_config_changes_nothing(composed, tmp_path):
    plain = composed(*RUN)
    (tmp_path / "config.yaml").write_text("seed: 666\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("seed: 666\n")
    assert composed(*RUN) == plain


def test_a_strangers_options_are_in_the_help(baryon, environment, toy):
    shown = baryon("train", "--help", env=environment | toy).stdout
    rows = [line.split(maxsplit=1) for line in shown.splitlines()]
    evaluators = next(row[1] for row in rows if row[:1] == ["evaluator"])
    assert {"toy_count", "toy_count_jets"} <= set(evaluators.strip().split(", "))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no dataset chosen: give dataset=<name>; choose from: "),
        (["dataset=hep_images"], "no model chosen: give model=<name>; choose from: "),
        ([*RUN, "model=hep_cn"], "no option model=hep_cn; did you mean 'hep_cnn'? choose from: "),
        (["experiment=hep_dem"], "no option experiment=hep_dem; did you mean 'hep_demo'? choo"),
        ([*RUN, "comm=telepathy"], "no option comm=telepathy; choose from: "),
        ([*RUN, "modle=hep_cnn"], "the config has no key 'modle'; did you mean 'model'? choose "),
        ([*RUN, "train.epoch=3"], "train has no key 'epoch'; did you mean 'epochs'? choose from: "),
        ([*RUN, "+train.speed=3"], "train has no key 'speed'; choose from: accumulation_st"),
        (
            [*RUN, "model.filter=3"],
            "model has no key 'filter'; did you mean 'filters'? choose from: ",
        ),
        ([*RUN, "train.epochs=many"], "train.epochs: Value 'many' of type 'str' could not be conv"),
        ([*RUN, "train.epochs=2.5"], "train.epochs: Value '2.5' of type 'float' could not be conv"),
        ([*RUN, "seed=one"], "seed: Value 'one' of type 'str' could not be converted to Integer"),
        ([*RUN, "train.epochs=0"], "train.epochs=0 must be above 0"),
        ([*RUN, "train.learning_rate=nan"], "train.learning_rate=nan must be 0 or more"),
        ([*RUN, "train.optimizer=adm"], "train.optimizer=adm is not known; did you mean 'adam'?"),
        ([*RUN, "run=3"], "run: "),
        (["dataset=hep_images", "model=hep_cnn"], "no value for dataset.train: give it as dataset"),
        ([*RUN, "model.filters={"], "cannot read 'model.filters={': "),
        ([*RUN, "filters"], "cannot read 'filters': missing EQUAL at "),
        ([*RUN, f"seed={'9' * 5000}"], "cannot read 'seed=999"),
        ([*RUN, f"seed={'[' * 40}{']' * 40}"], "'seed=[[[[[["),
        (["-m", *RUN, f"seed={'{a:' * 900}1{'}' * 900}"], "'seed={a:{a:"),
        ([*RUN, f"hydra.output_subdir={'x' * 300}"], "'hydra.output_subdir=xxx"),
        ([*RUN, "hydra/job_logging=default"], "'hydra/job_logging=default': settings of Hyd"),
        ([*RUN, "model=null"], "an option is chosen by its name, as in model=<name>, not by null"),
        ([*RUN, "model.filters=${seeed}"], "model.filters: Interpolation key 'seeed' not found"),
        ([*RUN, "train.epochs=1,2"], "Ambiguous value for argument 'train.epochs=1,2'"),
        (["-m", *RUN, "--cfg", "job"], "--cfg shows one config and -m makes many"),
        ([*RUN, "--config-name", "nothing"], "unrecognized arguments: --config-name"),
        ([*RUN, "--config-dir", "nowhere"], "--config-dir nowhere: there is no folder "),
    ],
    ids=lambda value: value[-1][:40] if isinstance(value, list) and value else "",
)
def test_what_is_wrong_is_said_in_one_line(error, arguments, says):
    assert error(*arguments).startswith(says)


def test_a_typo_in_an_experiment_of_ones_own_names_the_file(error, study, tmp_path):
    (tmp_path / "mine" / "experiment" / "my_study.yaml").write_text("train: [3\n")
    assert "experiment/my_study.yaml" in error(*study)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "says"),
    [
        (
            "model.filters=many",
            "model 'hep_cnn' (plugin 'hep'): filters='many' is of the wrong type",
        ),
        (
            "+model.depth=3",
            "model 'hep_cnn' (plugin 'hep') takes no 'depth'; choose from: dropout, ",
        ),
        (
            "model.name=hep_cn",
            "no plugin offers model 'hep_cn'; did you mean 'hep_cnn'? choose from:",
        ),
    ],
)
def test_a_component_is_asked_for_what_it_takes(error, override, says):
    assert error(*RUN, override).startswith(says)


def test_no_command_leaves_a_trace_where_it_was_started(composed, error, tmp_path):
    composed(*RUN)
    error(*RUN, "train.epoch=3")
    error("dataset=hep_images", "model=hep_cnn")
    assert list(tmp_path.iterdir()) == []


def test_however_many_configs_a_process_composes_each_is_looked_for_in_the_same_folders():
    def paths() -> list[str]:
        option_values("", "model", "hep_cnn", discover())
        found = ConfigSearchPathImpl()
        for plugin in HydraPlugins.instance().discover(SearchPathPlugin):
            plugin().manipulate_search_path(found)
        return [str(element.path) for element in found.get_path()]

    once = paths()
    assert any(path.endswith("baryon_hep/conf") for path in once)
    assert paths() == once
