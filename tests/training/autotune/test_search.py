"""How a step is computed: what the config decides, what is measured, what memory it takes."""

import copy
import os

import pytest
import torch
from torch import nn

from baryon.errors import BaryonError
from baryon.interfaces import DataShard, Field
from baryon.system.cache import cached, keep
from baryon.training.autotune import search as choosing
from baryon.training.autotune.activation_checkpointing import apply_activation_checkpointing
from baryon.training.autotune.execution_mode import (
    BF16,
    COMPILED,
    EAGER,
    FP32,
    GRAPHS,
    TUNED,
    ExecutionMode,
    modes,
    set_precision,
)
from baryon.training.autotune.memory import largest_micro_batch, peak_bytes
from baryon.training.autotune.search import Trial, TrialRunner, autotune, distance
from baryon.training.backward import Gradient, NotFiniteError
from baryon.training.metrics.stopwatch import HostClock, Stopwatch
from baryon.training.model_runner import ModelRunner
from baryon.training.optimizers import ScheduledOptimizerFactory
from baryon_hep.model.hep_cnn import hep_cnn

GIB = 2**30


class Alone:
    """As much of a communicator as a choice needs."""

    is_leader = True
    shard = DataShard()

    def broadcast(self, value):
        return value


def batches(count=8):
    random = torch.Generator().manual_seed(2)
    return [
        {
            "inputs": torch.randn(count, 6, generator=random),
            "target": torch.randn(count, 2, generator=random),
            "keys": torch.arange(count),
        }
        for _ in range(3)
    ]


def loss(output, batch):
    return {"squared": (output - batch["target"]).square().mean()}


@pytest.fixture
def tries(train):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))
    runner = ModelRunner(model, train(precision="auto"))
    return TrialRunner(
        runner, loss, ScheduledOptimizerFactory(train(), 500, 50), batches(), None, seed=1
    )


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_a_config_that_decides_is_not_measured(train):
    learner = ModelRunner(nn.Linear(2, 2), train(precision="bf16"))
    assert learner.is_settled
    assert learner.execution == ExecutionMode(BF16, EAGER, True)
    assert not ModelRunner(nn.Linear(2, 2), train(precision="auto")).is_settled


def test_what_the_device_does_not_have_is_refused(train):
    with pytest.raises(
        BaryonError, match=r"precision=tf32 is not available on cpu; choose from: fp32, bf16"
    ):
        ModelRunner(nn.Linear(2, 2), train(precision="tf32"))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_parameters_gradients_and_outputs_stay_float32(train, precision):
    learner = ModelRunner(nn.Linear(6, 2), train(precision=precision))
    output = learner(batches()[0])
    output.sum().backward()
    assert {output.dtype, learner.model.weight.dtype, learner.model.weight.grad.dtype} == {
        torch.float32
    }


def test_short_runs_are_not_measured(train, tries):
    found = autotune(train(precision="auto"), Alone(), tries, 99, {})
    assert (found["precision"], found["why"]) == ("fp32", "autotuning skipped: only 99 steps")


def test_the_fastest_is_chosen_once_and_said(train, tries, monkeypatch, capsys):
    before = copy.deepcopy(tries.runner.model.state_dict())
    random = torch.get_rng_state()
    found = autotune(train(precision="auto"), Alone(), tries, 500, {"model": "toy"})
    assert found["precision"] in ("fp32", "bf16")
    assert "ms a step" in found["why"]
    assert "bf16 channels-last eager" in found["why"] or found["precision"] == "bf16"
    assert "measuring how to compute a step: fp32, bf16" in capsys.readouterr().out
    monkeypatch.setattr(choosing, "_Search", None)  # would fail if it were called
    assert autotune(train(precision="auto"), Alone(), tries, 500, {"model": "toy"}) == found
    after = tries.runner.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(random, torch.get_rng_state())


def test_the_leader_chooses_for_all(train, tries):
    leaders = {"precision": BF16, "mode": EAGER, "channels_last": True, "why": "measured there"}

    class Follower(Alone):
        is_leader = False
        answers = [None, leaders]  # noqa: RUF012  nothing was kept; then the leader's choice

        def broadcast(self, value):
            assert value is None
            return self.answers.pop(0)

    assert autotune(train(precision="auto"), Follower(), tries, 500, {}) == leaders


def test_one_way_that_is_faster_but_changes_the_losses_is_passed_over(train, tries, monkeypatch):
    run = TrialRunner.run

    def spoilt(self, execution, steps, most=float("inf")):
        losses, seconds = run(self, execution, steps, float("inf"))
        if execution.precision == BF16:
            return [one * 1.1 for one in losses], [1e-9 for _ in seconds]
        return losses, seconds

    monkeypatch.setattr(TrialRunner, "run", spoilt)
    found = autotune(train(precision="auto"), Alone(), tries, 500, {})
    assert found["precision"] == FP32
    assert "bf16 channels-last eager changes the losses by 1" in found["why"]


def test_none_that_keeps_the_losses_is_an_error():
    trial = Trial(ExecutionMode(BF16), 1.0, 0.5)
    with pytest.raises(BaryonError, match=r"no way to compute a step keeps .*bf16.* eager: 50%"):
        choosing._fastest([trial])


def test_distance_of_curves():
    assert distance([1.0, 2.0], [1.0, 2.0]) == 0
    assert distance([1.1, 1.9], [1.0, 2.0]) == pytest.approx(0.2 / 3)


def test_bf16_keeps_the_loss_curve_of_the_paper_network(train):
    torch.manual_seed(1)
    fields = {"inputs": Field((3, 64, 64), "float32")}
    model = hep_cnn(
        filters=8, dropout=0.0, leakiness=0.0, padding="zeros", kernels="plain", fields=fields
    )
    images = [
        {"inputs": torch.rand(8, 3, 64, 64), "keys": torch.arange(8), "label": torch.arange(8) % 2}
        for _ in range(2)
    ]
    for batch in images:
        batch["inputs"][batch["label"] == 1] *= 2
    one = TrialRunner(
        ModelRunner(model, train()),
        lambda output, batch: {"entropy": nn.functional.cross_entropy(output, batch["label"])},
        ScheduledOptimizerFactory(train(), 50, 50),
        images,
        None,
        seed=1,
    )
    losses, _ = one.run(ExecutionMode(FP32), 12, float("inf"))
    rounded, _ = one.run(ExecutionMode(BF16), 12, float("inf"))
    assert losses[-1] < losses[0]
    assert 0 < distance(rounded, losses) < choosing.CLOSE


def test_what_is_compiled_trains_and_what_is_evaluated_is_not(train, monkeypatch):
    asked = []

    def compiled(model, **options):
        asked.append(options)
        return lambda x: model(x) + 1

    monkeypatch.setattr(torch, "compile", compiled)
    learner, here = ModelRunner(nn.Linear(6, 2), train(compile="always")), batches()[0]
    plain = learner.model(here["inputs"])
    assert asked == [{"dynamic": False}]
    learner.use(ExecutionMode(FP32, GRAPHS))
    learner.use(ExecutionMode(FP32, TUNED))
    assert [one.get("backend", one.get("mode")) for one in asked[1:]] == [
        "cudagraphs",
        "max-autotune",
    ]
    assert torch.equal(learner(here), plain + 1)
    assert torch.equal(learner(here, eager=True), plain)
    learner.model.eval()
    assert torch.equal(learner(here), plain)


def test_recorded_graphs_begin_anew_with_every_step(train, monkeypatch):
    """Not only after a backward, which a step with a loss that is not finite leaves out."""
    begun = []
    monkeypatch.setattr(torch, "compile", lambda model, **options: model)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: begun.append(1))
    runner, (batch, *_) = ModelRunner(nn.Linear(6, 2), train()), batches()
    for mode in (EAGER, COMPILED, GRAPHS, TUNED):
        runner.use(ExecutionMode(FP32, mode))
        gradient = Gradient(runner, loss, Stopwatch(HostClock()), skips=True)
        gradient.micro_batch = 3
        gradient.compute(batch)
        with pytest.raises(NotFiniteError):
            gradient.compute({**batch, "inputs": batch["inputs"] / 0})
    assert len(begun) == 4


def test_a_compiler_that_fails_is_told_of_and_passed_over(train, tries, monkeypatch, capsys):
    def fails(model, **options):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", fails)
    monkeypatch.setitem(choosing.REPAYS, COMPILED, 0.0)
    found = autotune(train(precision="fp32", compile="auto"), Alone(), tries, 5000, {})
    assert found["mode"] == EAGER
    assert "fp32 channels-last compiled failed" in found["why"]
    assert "does not work here: RuntimeError: no C++ compiler" in capsys.readouterr().out


def test_kept_values_come_back_and_damaged_ones_are_measured_again(tmp_path):
    keep("kind", {"a": 1}, {"b": 2.5})
    assert cached("kind", {"a": 1}) == {"b": 2.5}
    assert cached("kind", {"a": 2}) is None
    (path,) = (tmp_path / "baryon" / "kind").iterdir()
    path.write_text("{")
    assert cached("kind", {"a": 1}) is None


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    keep("kind", {"a": 1}, {"b": 2.5})
    assert cached("kind", {"a": 1}) is None


@pytest.mark.parametrize("leakiness", [0.0, 0.1])
def test_forgotten_activations_leave_the_gradient_to_the_bit(leakiness):
    fields = {"inputs": Field((3, 64, 64), "float32")}
    images = torch.rand(16, 3, 64, 64)
    gradients = []
    for forget in (False, True):
        torch.manual_seed(1)
        model = hep_cnn(
            filters=8,
            dropout=0.3,
            leakiness=leakiness,
            padding="zeros",
            kernels="plain",
            fields=fields,
        )
        names = list(model.state_dict())
        if forget:
            apply_activation_checkpointing(model)
        assert list(model.state_dict()) == names
        torch.manual_seed(2)
        model(images).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_a_deep_network_that_forgets_takes_less_memory():
    def peak(forget):
        layers = [layer for _ in range(8) for layer in (nn.Conv2d(4, 4, 3, padding=1), nn.Tanh())]
        model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *layers)
        if forget:
            apply_activation_checkpointing(model)
        return peak_bytes(lambda: model(torch.zeros(4, 3, 32, 32)).sum().backward())

    assert peak(forget=True) < 0.7 * peak(forget=False)


def test_blocks_of_other_models():
    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

        def forward(self, x):
            for block in self.blocks:
                x = block(x).tanh()
            return x

    tower, x = Tower(), torch.rand(2, 4)
    expected = tower(x)
    apply_activation_checkpointing(tower)
    assert torch.equal(tower(x), expected)
    tower(x).sum().backward()
    assert all(parameter.grad is not None for parameter in tower.parameters())


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (nn.Linear(2, 2), "finds no blocks in Linear"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), r"layer '1' \(BatchNorm1d\) twice"),
    ],
)
def test_activations_that_cannot_be_forgotten(model, says):
    with pytest.raises(BaryonError, match=says):
        apply_activation_checkpointing(model)


def test_peak_is_that_of_the_tensors_alive_at_once():
    def work():
        for _ in range(5):
            one = torch.ones(1000)
            two = one + 1
            del one
            two.add_(1)

    assert peak_bytes(work) == 3 * 4000  # `two` lives until the next is there


def test_the_largest_micro_batch_within_the_budget():
    tried = []

    def measure(samples):
        tried.append(samples)
        return 100 * 2**20 + samples * 50 * 2**20

    own = 24 * 2**20
    size, taken = largest_micro_batch(measure, own, 32, 1.0)
    assert size == 16  # 18 would fit, 32 are even parts of 16
    assert taken * GIB == own + measure(16)
    assert max(tried) == 16
    assert largest_micro_batch(measure, own, 13, 0.5)[0] == 7  # 7 fit
    assert largest_micro_batch(measure, own, 12, 0.5)[0] == 6
    assert largest_micro_batch(measure, own, 8, 10.0)[0] == 8
    assert largest_micro_batch(measure, own, 1, 10.0)[0] == 1
    with pytest.raises(BaryonError, match=r"one sample needs 0\.17 GiB, more than train\.memory_g"):
        largest_micro_batch(measure, own, 8, 0.1)


def test_the_micro_batch_found_for_a_network_fits():
    torch.manual_seed(1)
    fields = {"inputs": Field((3, 64, 64), "float32")}
    model = hep_cnn(
        filters=8, dropout=0.0, leakiness=0.0, padding="zeros", kernels="plain", fields=fields
    )

    def peak(count):
        return peak_bytes(lambda: model(torch.zeros(count, 3, 64, 64)).sum().backward())

    budget = 6 * 2**20 / GIB
    size, taken = largest_micro_batch(peak, 0, 64, budget)
    assert 4 <= size < 64
    assert peak(size) <= budget * GIB
    assert peak(size) == pytest.approx(taken * GIB, rel=0.1)


def test_one_precision_is_timed_only_to_see_whether_compiling_repays(train, tries, capsys):
    found = autotune(train(precision="fp32", compile="auto"), Alone(), tries, 1000, {})
    assert found["why"] == "too short a run to repay compiling"
    assert "measuring" not in capsys.readouterr().out


def test_modes_that_a_run_is_long_enough_for(train):
    gpu = torch.device("cuda")
    assert modes(train(compile="never"), gpu) == (EAGER,)
    assert modes(train(compile="always"), gpu) == (TUNED,)
    allowed = modes(train(compile="auto"), gpu)
    assert [choosing._repaid(allowed, seconds) for seconds in (10, 100, 10_000)] == [
        [],
        [GRAPHS],
        [GRAPHS, TUNED],
    ]


@pytest.fixture
def switches():
    """Of the whole process; a CPU has them too. Afterwards they are PyTorch's defaults again."""
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True


@pytest.mark.usefixtures("switches")
def test_switches_of_tf32_agree_whoever_reads_them():
    """PyTorch's compiler reads the older ones, and fails where they contradict the newer."""
    for precision in ("tf32", "fp32", "bf16", "tf32"):
        set_precision(ExecutionMode(precision), torch.device("cuda"))
        wanted = precision == "tf32"
        assert torch.get_float32_matmul_precision() == ("high" if wanted else "highest")
        assert torch.backends.cuda.matmul.allow_tf32 is wanted
        assert torch.backends.cudnn.allow_tf32 is wanted
        for found in (torch.backends.cuda.matmul, torch.backends.cudnn.conv):
            assert (found.fp32_precision == "tf32") is wanted


@pytest.mark.gpu
@pytest.mark.parametrize("kernels", ["plain", "fused"])
def test_recorded_steps_are_the_steps_themselves(train, kernels):
    """Also of the smaller batch that ends an epoch; the weights change in between."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    fields = {"inputs": Field((3, 64, 64), "float32")}
    torch.manual_seed(1)
    model = hep_cnn(
        filters=16, dropout=0.0, leakiness=0.0, padding="zeros", kernels=kernels, fields=fields
    )
    images = [
        {
            "inputs": torch.rand(count, 3, 64, 64),
            "keys": torch.arange(count),
            "label": torch.arange(count) % 2,
        }
        for count in (16, 16, 9)
    ]
    settings = train(device="cuda", precision="bf16")
    one = TrialRunner(
        ModelRunner(model, settings),
        lambda output, batch: {"entropy": nn.functional.cross_entropy(output, batch["label"])},
        ScheduledOptimizerFactory(settings, 50, 50),
        images,
        None,
        seed=1,
    )
    losses, _ = one.run(ExecutionMode(BF16), 12, float("inf"))
    recorded, _ = one.run(ExecutionMode(BF16, GRAPHS), 12, float("inf"))
    assert losses[-1] < losses[0]
    assert recorded == pytest.approx(losses, rel=1e-3)


@pytest.mark.gpu
@pytest.mark.filterwarnings("default")  # of the compiler
@pytest.mark.parametrize("mode", [GRAPHS, TUNED])
def test_recorded_steps_go_on_after_one_that_was_left_out(train, mode):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    torch.manual_seed(1)
    runner = ModelRunner(
        nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2)), train(device="cuda")
    )
    good = [runner.to_device(batch) for batch in batches(count=16)]
    bad = {**good[0], "inputs": good[0]["inputs"] / 0}
    gradients = []
    for execution in (ExecutionMode(FP32), ExecutionMode(FP32, mode)):
        runner.use(execution)
        gradient = Gradient(runner, loss, Stopwatch(HostClock()), skips=True)
        for batch in good * 3:
            with pytest.raises(NotFiniteError):
                gradient.compute(bad)
            runner.model.zero_grad()
            gradient.compute(batch)
            gradients.append([p.grad.clone() for p in runner.model.parameters()])
    half = len(gradients) // 2
    for eager, recorded in zip(gradients[:half], gradients[half:], strict=True):
        for one, other in zip(eager, recorded, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.gpu
def test_auto_on_the_gpu_is_not_slower_than_float32(train):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    torch.manual_seed(1)
    fields = {"inputs": Field((3, 224, 224), "float32")}
    model = hep_cnn(
        filters=128, dropout=0.0, leakiness=0.0, padding="zeros", kernels="plain", fields=fields
    )
    settings = train(precision="auto", compile="never", device="cuda")
    images = [
        {
            "inputs": torch.rand(32, 3, 224, 224),
            "keys": torch.arange(32),
            "label": torch.arange(32) % 2,
        }
    ]
    one = TrialRunner(
        ModelRunner(model, settings),
        lambda output, batch: {"entropy": nn.functional.cross_entropy(output, batch["label"])},
        ScheduledOptimizerFactory(settings, 50, 50),
        images,
        None,
        seed=1,
    )
    found = autotune(settings, Alone(), one, 5000, {})
    assert found["precision"] == BF16, found["why"]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_precisions_on_the_gpu_are_what_they_say(train, precision):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    torch.manual_seed(1)
    layer = nn.Linear(2048, 2048, bias=False)
    x = torch.randn(64, 2048)
    exact = (x.double() @ layer.weight.double().T).float()
    runner = ModelRunner(layer, train(precision=precision, device="cuda"))
    output = runner({"inputs": x.cuda()}).cpu()
    error = float((output - exact).abs().max() / exact.abs().max())
    low, high = {"fp32": (0, 1e-5), "tf32": (1e-5, 2e-3), "bf16": (1e-4, 2e-2)}[precision]
    assert low <= error < high
