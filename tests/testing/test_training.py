"""`check_training` passes components that go together, and says of others what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOOKS = """
from baryon import hookimpl

@hookimpl
def baryon_datasets():
    return {"toy_points": "PACKAGE.parts:Dataset"}

@hookimpl
def baryon_models():
    return {"toy_linear": "PACKAGE.parts:Model"}

@hookimpl
def baryon_losses():
    return {"toy_loss": "PACKAGE.parts:Loss"}

@hookimpl
def baryon_evaluators():
    return {"toy_share": "PACKAGE.parts:Evaluator"}
"""

CHOICES = ["dataset=toy_points", "model=toy_linear", "loss=toy_loss", "evaluator=toy_share"]
TRAIN = "split 'train' of dataset 'toy_points' of plugin 'toys'"
MODEL = "model 'toy_linear' of plugin 'toys'"
LOSS = "loss 'toy_loss' of plugin 'toys'"
EVALUATOR = "evaluator 'toy_share' of plugin 'toys'"

FAULTS = {
    "dataset.fault=none": "nothing is wrong",
    "dataset.fault=chunks": f"{TRAIN}: chunk_starts() must ascend from 0 to below its 20 samples",
    "dataset.fault=augmet": f"{TRAIN} has 'augmet', which is not a member of "
    "baryon.interfaces.Split; did you mean 'augment'?",
    "dataset.fault=open_inputs": "dataset 'toy_points' of plugin 'toys' has 'open_inputs', "
    "which is not a member of baryon.interfaces.Dataset; did you mean 'open_input'?",
    "dataset.fault=normalisation": f"{TRAIN} must define both normalisation() and raw(), or neith",
    "dataset.fault=no_inputs": f"{TRAIN} has no field 'inputs', which models are called on",
    "dataset.fault=field": f"{TRAIN}: read(0, 8) gives inputs, but its fields are inputs, label",
    "dataset.fault=dtype": f"{TRAIN}: read(0, 8) gives 'inputs' as float64 (8, 3), but its field ",
    "dataset.fault=shape": f"{TRAIN}: read(0, 8) gives 'inputs' as float32 (8, 2), but its field ",
    "dataset.fault=late": f"{TRAIN}: read(10, 20) gives 'label' as float64 (10,), but its field ",
    "dataset.fault=fingerprint": f"{TRAIN}: fingerprint() must be a text, not ''",
    "dataset.fault=pickle": f"{TRAIN} cannot be sent to reading processes (TypeError: cannot ",
    "dataset.fault=copy": f"{TRAIN}: a pickled copy reads other 'label' in rows 0 to 7",
    "model.fault=forward": f"{MODEL} fails on inputs float32 (7, 3) of dataset 'toy_points' of "
    "plugin 'toys': RuntimeError: ",
    "model.fault=output": f"{MODEL} fails on inputs float32 (7, 3) of dataset 'toy_points' of "
    "plugin 'toys': TypeError: a model's output is made of tensors",
    "model.fault=detached": f"no gradient flows back from {LOSS} through {MODEL}: RuntimeError: ",
    "model.fault=idle": f"parameter 'unused.weight' of {MODEL} gets no gradient: ",
    "model.fault=infinite_gradient": f"parameter 'layer.weight' of {MODEL}: its gradient is not ",
    "model.fault=state": f"{MODEL}: its state_dict() cannot be kept in a checkpoint: ",
    "loss.fault=field": f"{LOSS} fails on the output of {MODEL} and a batch of dataset "
    "'toy_points' of plugin 'toys': KeyError: 'labels'",
    "loss.fault=vector": f"{LOSS}: term 'cross_entropy' is float32 (7,), not a tensor of one ",
    "loss.fault=not_finite": f"{LOSS}: term 'cross_entropy' is nan on the first batch",
    "loss.fault=nothing": f"{LOSS} returned no terms: it must name at least one",
    "loss.fault=sum": f"{LOSS}: term 'cross_entropy' is the sum over the samples of a batch: ",
    "loss.fault=tensor": f"{LOSS} returned float32 (), not a mapping of its terms by name",
    "evaluator.fault=update": f"{EVALUATOR}: update() fails on the model's output and a batch: ",
    "evaluator.fault=pickle": f"{EVALUATOR}: its state() cannot be pickled and merged: ",
    "evaluator.fault=merge": f"{EVALUATOR}: two halves merged answer {{'accuracy': ",
    "evaluator.fault=array": f"{EVALUATOR}: metrics: 'accuracy' is float64 (1,), not a number",
    "evaluator.fault=judged_by": f"{EVALUATOR}: judged_by names '-accuracies', which is not one of "
    "its metrics: choose from: accuracy",
    "evaluator.fault=letters": f"{EVALUATOR}: its judged_by is str, not a list of ",
    "evaluator.fault=result": f"{EVALUATOR}: result() fails: ZeroDivisionError: ",
    "model.width=3": "model has no key 'width'; choose from: fault, name",
    "model=toy_none": "no option model=toy_none; ",
}

CHECK_ALL = """
import json, sys
from baryon.errors import BaryonError
from baryon.testing import check_training

def finding(choices):
    try:
        check_training(*choices)
    except (AssertionError, BaryonError) as error:
        return str(error)
    return "nothing is wrong"

print(json.dumps([finding(choices) for choices in json.loads(sys.argv[1])]))
"""


@pytest.fixture(scope="module")
def findings(install) -> dict[str, str]:
    """What the kit says of each fault, of an installed plugin."""
    source = Path(__file__).with_name("broken_components.py").read_text()
    options = {
        f"conf/{option}.yaml": f"# A toy\nname: {option.partition('/')[2]}\nfault: none\n"
        for option in ("dataset/toy_points", "model/toy_linear", "loss/toy_loss")
    } | {"conf/evaluator/toy_share.yaml": "# A toy\nname: toy_share\nfault: none\n"}
    target = install({"toys": {"toys": {"__init__.py": HOOKS, "parts.py": source, **options}}})
    tasks = [[*CHOICES, fault] for fault in FAULTS]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHECK_ALL, json.dumps(tasks)],
        env=os.environ | {"PYTHONPATH": str(target)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(zip(FAULTS, json.loads(done.stdout), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_it_finds_what_is_wrong(findings, fault):
    assert findings[fault].startswith(FAULTS[fault])
    assert "\n" not in findings[fault]
