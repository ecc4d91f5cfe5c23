"""The commands of `baryon`: each is the module of its name here, whose `run(arguments)` does it."""

COMMANDS = {
    "train": "train a model, or a sweep of models with -m",
    "resume": "go on with a run that was stopped",
    "evaluate": "evaluate a run again",
    "predict": "run a trained model on new data",
    "export": "write a trained model as safetensors, torch.export or ONNX",
    "data": "generate, check, show or repack data",
    "launch": "start a command as several processes on this machine",
    "report": "write a page of a run, of several runs, or of a sweep",
    "watch": "show the report of a run live in a browser",
    "reproduce": "train a run again and compare",
    "plugins": "list the installed plugins and their health, or write a new one",
    "show": "list options and explain their settings",
    "completion": "print the script that completes words in bash or zsh",
}
"""Name of each command -> its line in `baryon --help`."""
