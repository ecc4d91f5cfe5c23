"""A checkpoint's state as Baryon writes it, small."""

import torch


def progress(step=3, model=None):
    """What `last.pt` holds after `step` steps of a linear model under Adam."""
    model = model or {"weight": torch.full((2, 3), float(step)), "bias": torch.zeros(2)}
    return {
        "step": step,
        "execution": {"precision": "fp32", "mode": "eager", "channels_last": True},
        "identity": {"baryon": "0.1", "choices": {"model": "linear"}, "plugins": {"toy": "toy 1"}},
        "model": model,
        "communicator": {
            "optimizer": {
                name: {
                    "step": torch.tensor(float(step)),
                    "exp_avg": torch.zeros_like(value),
                    "exp_avg_sq": torch.zeros_like(value),
                }
                for name, value in model.items()
            }
        },
        "ema": {},
        "best": float("inf"),
        "early_stopping": {"lowest": float("inf"), "validations": 0},
        "meters": {
            "rates": {"peak": 2.0, "sustained": 1.0, "sustained_steps": step},
            "phases": {"forward": 1.0},
            "samples": 8 * step,
            "lost": 0.0,
            "seconds": 2.5,
            "operations": {"per_sample": 12.0, "by_layer": {"": 12.0}},
        },
        "workers": [
            {
                "random": {"cpu": torch.get_rng_state()},
                "running_loss": {"steps": 1, "samples": 8, "sums": {"a": torch.tensor(0.5)}},
            }
        ],
        "ledger": {
            "step": step,
            "basis": {
                "order": 2,
                "seed": 1,
                "batch_size": 8,
                "samples": 60,
                "window": 3,
                "chunks": "ab12",
                "strata": "",
            },
            "data": {"train": "1f"},
            "workers": [[0, 1, 1]],
        },
        "config": {"seed": 1, "train": {"learning_rate": 1e-3}},
    }


WEIGHTS = ("step", "execution", "identity", "model")


def weights(step=3):
    """What `best.pt` holds."""
    return {key: value for key, value in progress(step).items() if key in WEIGHTS}
