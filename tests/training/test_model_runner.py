import pytest
import torch
from torch import nn

from baryon.config.schemas import Train
from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon.training.metrics.flop_count import counting
from baryon.training.model_runner import ModelRunner, choose_device
from baryon_hep.model.hep_cnn import hep_cnn


def settings(**changes) -> Train:
    train = object.__new__(Train)  # only what a network reads
    values = {
        "device": "cpu",
        "precision": "fp32",
        "compile": "never",
        "channels_last": True,
    } | changes
    for name, value in values.items():
        setattr(train, name, value)
    return train


def images(count=2, size=64):
    return {"inputs": torch.rand(count, 3, size, size, generator=torch.manual_seed(1))}


def small_network(size=64, **changes):
    torch.manual_seed(1)
    fields = {"inputs": Field((3, size, size), "float32")}
    return ModelRunner(
        hep_cnn(
            filters=8, dropout=0.0, leakiness=0.0, padding="zeros", kernels="plain", fields=fields
        ),
        settings(**changes),
    )


@pytest.mark.parametrize("changes", [{"channels_last": False}, {"precision": "bf16"}])
def test_format_and_precision_leave_the_answer(changes):
    plain, other = small_network()(images()), small_network(**changes)(images())
    assert other.dtype == torch.float32
    assert torch.allclose(plain, other, rtol=0.05, atol=0.05)


def test_channels_last_is_the_memory_format():
    weight = small_network().model.get_submodule("conv2").weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_networks_of_volumes_keep_their_format():
    """PyTorch has `channels_last` for tensors of four axes alone."""
    layers = nn.Sequential(nn.Conv3d(3, 4, 3), nn.Flatten(2), nn.Conv1d(4, 2, 1))
    runner = ModelRunner(layers, settings())
    assert runner({"inputs": torch.rand(2, 3, 5, 5, 5)}).shape == (2, 2, 27)


def test_outputs_of_several_tensors_reach_the_cpu():
    class Heads(nn.Module):
        def forward(self, x):
            return {"score": x.mean(), "boxes": [x, x + 1]}

    runner = ModelRunner(Heads(), settings())
    output = runner.to_cpu(runner(images()))
    assert output["boxes"][1].device.type == "cpu"


def test_devices():
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(BaryonError, match=r"train\.device=gpu is not known"):
        choose_device("gpu")
    with pytest.raises(
        BaryonError, match=r"train\.device=cuda:99 is not available: this process sees"
    ):
        choose_device("cuda:99")


def test_ranks_of_a_host_take_its_gpus_in_turn(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda", 0)
    for launcher in (
        {
            "OMPI_COMM_WORLD_RANK": "5",
            "OMPI_COMM_WORLD_SIZE": "8",
            "OMPI_COMM_WORLD_LOCAL_RANK": "3",
        },
        {"SLURM_PROCID": "9", "SLURM_STEP_NUM_TASKS": "12", "SLURM_LOCALID": "1"},
    ):
        with monkeypatch.context() as started:
            for key, value in launcher.items():
                started.setenv(key, value)
            assert choose_device("cuda") == torch.device("cuda", 1)
            assert choose_device("cuda:0") == torch.device("cuda", 0)


def test_operations_of_a_training_step_at_224():
    """15.43 GFLOP an image without the first layer's data gradient (derived)."""
    fields = {"inputs": Field((3, 224, 224), "float32")}
    model = hep_cnn(
        filters=128, dropout=0.0, leakiness=0.0, padding="zeros", kernels="plain", fields=fields
    )
    images = torch.zeros(2, 3, 224, 224)
    _, counted = counting(lambda: model(images).sum().backward(), samples=2)
    assert counted.per_sample / 1e9 == pytest.approx(15.43, abs=0.01)
    assert sum(counted.by_layer.values()) == pytest.approx(counted.per_sample)
    assert list(counted.by_layer) == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc"]
    assert counted.by_layer["conv2"] == 3 * 2 * 9 * 128 * 128 * 112**2  # forward and two backward
    assert counted.by_layer["conv1"] == 2 * 2 * 9 * 3 * 128 * 224**2  # no gradient of the images


@pytest.mark.gpu
def test_a_step_on_the_gpu_gives_the_cpu_answer():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    runner = small_network(device="cuda", channels_last=True)
    on_gpu = runner.to_cpu(runner(runner.to_device(images())))
    assert torch.allclose(small_network()(images()), on_gpu, rtol=1e-2, atol=1e-3)
