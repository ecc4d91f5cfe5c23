"""The fused blocks against PyTorch's own operations.

Without a CUDA device the kernels run in Triton's interpreter, and one test compiles them for a GPU
that is not there; with one all of this runs on it.
"""

import copy
import subprocess
import sys

import pytest
import torch
from torch.library import opcheck
from torch.nn import functional

from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon.plugins.components import check_arguments
from baryon.training.autotune.activation_checkpointing import apply_activation_checkpointing
from baryon.training.checkpoints.weights import put_weights
from baryon.training.metrics.flop_count import counting
from baryon_hep.model.fused import choice
from baryon_hep.model.hep_cnn import POOLINGS, hep_cnn

pytest.importorskip("triton")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
with pytest.MonkeyPatch.context() as patch:  # Triton asks when the kernels are defined
    if DEVICE.type == "cpu":
        patch.setenv("TRITON_INTERPRET", "1")
    from baryon_hep.model.fused import operators, rehearsal
    from baryon_hep.model.fused.block import Block, plain

HALF, SINGLE = torch.bfloat16, torch.float32
SIZE = 16
SHAPES = [  # samples, channels, filters, height, width
    (2, 3, 16, 8, 8),
    (1, 1, 5, 7, 9),
    (3, 2, 20, 9, 6),
    (1, 3, 130, 4, 5),
    (1, 7, 16, 2, 3),
]


@pytest.fixture(autouse=True)
def exact_products():
    """Of cuDNN, whose default is TF32."""
    if DEVICE.type == "cpu":
        yield
        return
    before = torch.backends.cudnn.conv.fp32_precision
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    yield
    torch.backends.cudnn.conv.fp32_precision = before


def tensors(samples, channels, filters, height, width, seed=1):
    random = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=random).to(DEVICE)

    return (
        normal(samples, channels, height, width),
        normal(filters, channels, 3, 3),
        normal(filters),
    )


def build(size=SIZE, *, kernels="fused", seed=1, filters=8, dropout=0.0, leakiness=0.0):
    torch.manual_seed(seed)
    fields = {"inputs": Field((3, size, size), "float32")}
    model = hep_cnn(
        filters=filters,
        dropout=dropout,
        leakiness=leakiness,
        padding="zeros",
        kernels=kernels,
        fields=fields,
    )
    return model.to(DEVICE, memory_format=torch.channels_last)


@pytest.fixture
def anywhere(monkeypatch):
    """A small network of fused blocks, as on a GPU."""
    monkeypatch.setattr(choice, "_missing", lambda: None)
    monkeypatch.setitem(POOLINGS, SIZE, 3)


def with_gradients(block, inputs, leakiness):
    """The output, and the gradients of all inputs for a random one at the output."""
    inputs = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    output = block(*inputs, leakiness)
    random = torch.Generator().manual_seed(7)
    came = torch.randn(output.shape, generator=random).to(output)
    return [output.detach(), *torch.autograd.grad(output, inputs, came)]


def assert_near(found, expected):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("leakiness", [0.0, 0.1])
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_gradients_are_those_of_double_precision(shape, leakiness):
    inputs = tensors(*shape)
    exact = [tensor.double() for tensor in inputs]
    found = with_gradients(lambda *here: operators.first_block(*here)[0], inputs, leakiness)
    assert_near(found, with_gradients(plain, exact, leakiness))
    full, bias = functional.conv2d(inputs[0], inputs[1], padding=1), inputs[2]
    found = with_gradients(lambda *here: operators.pool(*here)[0], [full, bias], leakiness)
    assert_near(found, with_gradients(rehearsal.pooled, [full.double(), bias.double()], leakiness))


@pytest.mark.parametrize("leakiness", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [SINGLE, HALF])
@pytest.mark.parametrize("shape", SHAPES)
def test_whole_numbers_come_out_to_the_bit(shape, dtype, leakiness):
    """Among them many equal ones: the gradient goes where PyTorch sends it."""
    samples, channels, filters, height, width = shape
    images = rehearsal.whole((samples, channels, height, width), 4)
    weight, bias = rehearsal.whole((filters, channels, 3, 3), 3), rehearsal.whole((filters,), 9)
    full = rehearsal.whole((samples, filters, height, width), 15)
    first = operators.first_block, plain, [images, weight, bias]
    later = operators.pool, rehearsal.pooled, [full, bias]
    assert rehearsal.same(*first, DEVICE, dtype, leakiness)
    assert rehearsal.same(*later, DEVICE, dtype, leakiness)


def test_the_rehearsal_is_passed_and_can_be_failed(monkeypatch):
    assert rehearsal.right_on(DEVICE)
    monkeypatch.setattr(rehearsal, "plain", lambda *inputs: plain(*inputs) + 1)
    assert not rehearsal.right_on(DEVICE)


def test_memory_formats_of_images_weights_and_gradients():
    images, weight, bias = tensors(2, 3, 16, 9, 10)
    wide = torch.zeros(2, 4, 9, 20, device=DEVICE)
    wide[:, 1:, :, ::2] = images
    strange = wide[:, 1:, :, ::2]
    last = images.contiguous(memory_format=torch.channels_last)
    turned = weight.contiguous(memory_format=torch.channels_last)
    expected, passed = operators.first_block(images, weight, bias, 0.0)
    assert expected.is_contiguous(memory_format=torch.channels_last)
    assert passed.dtype == torch.uint8
    came = torch.randn_like(expected)
    gradients = operators.first_block_gradient(came, passed, images, 0.0)
    for view in (strange, last):
        assert torch.equal(operators.first_block(view, turned, bias, 0.0)[0], expected)
        again = operators.first_block_gradient(came.contiguous(), passed, view, 0.0)
        assert all(torch.equal(one, other) for one, other in zip(again, gradients, strict=True))
    spread = torch.zeros_like(expected[:1, :1, :1, :1]).expand(expected.shape)
    assert not operators.first_block_gradient(spread, passed, images, 0.0)[0].any()


def test_what_is_not_finite_is_not_hidden():
    images, weight, bias = tensors(1, 3, 16, 6, 6)
    images[0, 0, 1, 1] = float("nan")
    images[0, 1, 5, 5] = float("inf")
    found = operators.first_block(images, weight, bias, 0.0)[0]
    expected = plain(images, weight, bias, 0.0)
    torch.testing.assert_close(found, expected, equal_nan=True)
    assert found.isnan().any()
    full = functional.conv2d(images, weight, padding=1)
    torch.testing.assert_close(operators.pool(full, bias, 0.0)[0], expected, equal_nan=True)


@pytest.mark.parametrize("samples", [0, 2])
def test_the_operators_keep_pytorchs_rules(samples):
    """Shapes without data, gradients, tracing."""
    images, weight, bias = (t.requires_grad_() for t in tensors(2, 3, 16, 5, 6))
    images, full = images[:samples], torch.randn(samples, 16, 5, 6, device=DEVICE)
    came = torch.randn(samples, 16, 2, 3, device=DEVICE)
    passed = torch.zeros_like(came, dtype=torch.uint8)
    opcheck(operators.first_block, (images.detach(), weight, bias, 0.0))
    opcheck(operators.first_block_gradient, (came, passed, images.detach(), 0.1))
    opcheck(operators.pool, (full.requires_grad_(), bias, 0.1))
    opcheck(operators.pool_gradient, (came, passed, 5, 6, 0.0))


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("options", [{}, {"leakiness": 0.1}, {"dropout": 0.5}])
@pytest.mark.parametrize("kernels", ["plain", "fused"])
def test_a_checkpoint_of_either_is_one_of_the_other(kernels, options, tmp_path):
    other = build(kernels="fused" if kernels == "plain" else "plain", seed=2, **options)
    model = build(kernels=kernels, **options)
    assert [isinstance(m.get_submodule("conv1"), Block) for m in (model, other)] == [
        kernels == "fused",
        kernels == "plain",
    ]
    put_weights(other, {"model": model.state_dict()}, tmp_path / "last.pt")
    images = torch.rand(2, 3, SIZE, SIZE, device=DEVICE)
    gradients = []
    for one in (model, other):
        torch.manual_seed(3)  # of dropout
        one(images).square().sum().backward()
        gradients.append([parameter.grad for parameter in one.parameters()])
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("anywhere")
def test_the_same_seed_initialises_alike():
    one, other = build(kernels="fused").state_dict(), build(kernels="plain").state_dict()
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("dtype", [SINGLE, HALF])
def test_operations_are_counted_by_layer_as_without(dtype):
    images, counted = torch.rand(1, 3, SIZE, SIZE, device=DEVICE), []
    for kernels in ("plain", "fused"):
        model = build(kernels=kernels)
        with torch.autocast(DEVICE.type, HALF, enabled=dtype == HALF):
            counted.append(counting(lambda m=model: m(images).sum().backward(), 1)[1])
    assert counted[0] == counted[1]
    assert list(counted[1].by_layer)[:3] == ["conv1", "conv2", "conv3"]


def test_few_programs_share_many_tiles(monkeypatch):
    for name, value in {"FIRST": 3, "POOL": 3}.items():
        monkeypatch.setattr(operators, f"{name}_PROGRAMS", value)
        monkeypatch.setattr(operators, f"{name}_WINDOWS", 16)
    images, weight = rehearsal.whole((3, 3, 10, 13), 4), rehearsal.whole((16, 3, 3, 3), 3)
    full, bias = rehearsal.whole((3, 16, 10, 13), 15), rehearsal.whole((16,), 9)
    assert rehearsal.same(operators.first_block, plain, [images, weight, bias], DEVICE, HALF)
    assert rehearsal.same(operators.pool, rehearsal.pooled, [full, bias], DEVICE, HALF)


@pytest.mark.usefixtures("anywhere")
def test_in_bf16_gradients_stay_as_near_as_without():
    """The first block's gradients never become bfloat16."""
    worse = 1.5 if DEVICE.type == "cuda" else 4  # the interpreter truncates where a GPU rounds
    images, gradients = torch.rand(2, 3, SIZE, SIZE, device=DEVICE), []
    for kernels, half in (("plain", False), ("plain", True), ("fused", True)):
        model = build(kernels=kernels)
        with torch.autocast(DEVICE.type, HALF, enabled=half):
            output = model(images)
        functional.cross_entropy(output.float(), torch.tensor([0, 1], device=DEVICE)).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    exact, autocast, ours = gradients
    for name, true in exact.items():
        assert ours[name].dtype == SINGLE
        apart, own = ((g[name] - true).norm() / true.norm() for g in (autocast, ours))
        assert own <= worse * apart + 0.01, name


@pytest.mark.usefixtures("anywhere")
def test_compiled_and_forgetful_it_is_the_same():
    images = torch.rand(2, 3, SIZE, SIZE, device=DEVICE)
    model = build()
    forgetful = copy.deepcopy(model)
    apply_activation_checkpointing(forgetful)
    compiled = torch.compile(copy.deepcopy(model), backend="aot_eager", fullgraph=True)
    gradients = []
    for one in (model, compiled, forgetful):
        with torch.autocast(DEVICE.type, HALF):
            one(images).square().sum().backward()
        gradients.append([parameter.grad for parameter in one.parameters()])
    for others in gradients[1:]:
        assert all(torch.equal(one, two) for one, two in zip(gradients[0], others, strict=True))


def test_types_that_the_kernels_do_not_have_are_computed_without_which_is_said(capsys):
    block = Block(3, 4, 0.0).double()
    for _ in range(2):
        assert block(torch.rand(1, 3, 4, 4, dtype=torch.float64)).dtype == torch.float64
    assert capsys.readouterr().out.count("with PyTorch's own kernels on cpu in torch.float64") == 1


COMPILE = """
import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction
from baryon_hep.model.fused import kernels, operators

class H100:
    get_current_device = get_current_stream = staticmethod(lambda *device: 0)
    get_current_target = staticmethod(lambda: GPUTarget("cuda", 90, 32))
    get_benchmarker = staticmethod(lambda: None)

def compile(self, *inputs, launch=JITFunction.run, **options):
    found = launch(self, *inputs, **options | {"warmup": True})
    print(self.__name__, len(found.asm["cubin"]) > 0)

driver.set_active(H100)
JITFunction.run = compile
images = torch.zeros(2, 3, 224, 224, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
weight, bias = torch.zeros(128, 3, 3, 3).to(memory_format=torch.channels_last), torch.zeros(128)
tiles = list(kernels.first_block_forward.configs)
for tile in tiles:  # where there is a GPU the fastest is found: each must compile
    kernels.first_block_forward.configs[:] = [tile]
    pooled, passed = operators.first_block(images, weight, bias, 0.0)
operators.first_block_gradient(pooled, passed, images, 0.0)
pooled, passed = operators.pool(pooled, bias, 0.1)
operators.pool_gradient(pooled, passed, 112, 112, 0.1)
"""


@pytest.mark.slow
def test_the_kernels_compile_for_an_h100(tmp_path, environment):
    """What the interpreter takes the compiler may refuse."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILE],
        env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    names = [*["first_block_forward"] * 3, "first_block_backward", "pool_forward", "pool_backward"]
    assert done.stdout.split("\n")[:-1] == [f"{name} True" for name in names], done.stderr


def test_without_a_gpu_fused_is_plain_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("baryon_hep.model.fused.kernels.INTERPRETED", False)
    assert not choice.is_fused("auto")
    assert not choice.is_fused("plain")
    assert capsys.readouterr().out == ""
    assert not choice.is_fused("fused")
    said = "model.kernels=fused computes with PyTorch's own kernels: there is no CUDA device"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("triton", "kernels: Triton is not installed"),
        (False, "kernels: the fused ones give wrong answers on Strange"),
        (RuntimeError("PassManager::run\nfailed"), "fail on Strange: RuntimeError: PassManager"),
        (True, ""),
    ],
)
def test_auto_with_a_gpu(monkeypatch, capsys, trouble, says):
    def right_on(device):
        assert device.type == "cuda"
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Strange")
    monkeypatch.setattr(rehearsal, "right_on", right_on)
    if trouble == "triton":
        monkeypatch.setattr(choice, "find_spec", lambda name: None)
    assert choice.is_fused("auto") == (trouble is True)
    out = capsys.readouterr().out
    assert (says in out) if says else out == ""


def test_other_kernels_are_refused():
    options = {"filters": 8, "dropout": 0.0, "leakiness": 0.0, "padding": "zeros"}
    options |= {"kernels": "fast"}
    with pytest.raises(
        BaryonError, match=r"kernels='fast' is of the wrong type: it must be .*'fused'"
    ):
        check_arguments("model 'hep_cnn'", hep_cnn, options, ["fields"])


@pytest.mark.gpu
def test_at_full_size_on_the_gpu():
    if DEVICE.type == "cpu":
        pytest.skip("no CUDA device")
    assert choice.is_fused("auto")
    labels = torch.arange(64, device=DEVICE) % 2
    images = torch.rand(64, 3, 224, 224, device=DEVICE)
    losses, gradients = [], []
    for kernels, half in (("plain", False), ("plain", True), ("fused", True)):
        model = build(224, kernels=kernels, filters=128)
        with torch.autocast("cuda", HALF, enabled=half):
            output = model(images)
        loss = functional.cross_entropy(output.float(), labels)
        loss.backward()
        losses.append(loss.item())
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert losses[2] == pytest.approx(losses[0], rel=1e-3)
    for exact, autocast, ours in zip(*gradients, strict=True):
        apart, own = ((g - exact).norm() / exact.norm() for g in (autocast, ours))
        assert own <= 1.2 * apart + 0.01
