"""The commands of `baryon` and their arguments: help, checking and completion are made of this.

Import nothing heavy here: the help and the completion of every word load this module.
"""

from __future__ import annotations

from baryon.commands.arguments import (
    FROZEN,
    GENERATE,
    REPACK,
    RUN,
    Argument,
    Command,
    Flag,
    Overrides,
)
from baryon.commands.kinds import (
    OUT_FILE,
    OUT_FOLDER,
    Choice,
    Choices,
    Described,
    Files,
    Folder,
    FolderWith,
    Kind,
    Tolerance,
    WholeNumber,
    WholeNumbers,
)
from baryon.export.format_names import SUFFIXES

RUN_FOLDER = FolderWith("<dir>", "config.yaml")
SWEEP_FOLDER = FolderWith("<dir>", "sweep.json")
THE_RUN = Argument("run", RUN_FOLDER, "the folder of the run", required=True)
WEIGHTS = Argument(
    "weights",
    Choice("best", "last", "ema"),
    "those of the lowest validation loss, the last, or their average (default: as configured)",
)
LARGEST_PORT = 65535
LARGEST_STEP = 10**15

CFG = Flag(("--cfg", "-c"), "show the composed config, and run nothing", Choice("job"))
PACKAGE = Flag(("--package", "-p"), "show only this part of the config", Kind("<key>"))
CONFIG_DIR = Flag(
    ("--config-dir", "-cd"), "take options from this folder of your own as well", Kind("<dir>")
)
MULTIRUN = Flag(("--multirun", "-m"), "run a sweep: every combination of the values given")
COMPOSING = (CFG, PACKAGE, CONFIG_DIR)
"""Flags of every command that composes a config."""

TRAIN = Command(
    name="train",
    summary="train a model, or a sweep of models with -m",
    description="""\
Train a model and say what it means to the field; the results lie in runs/latest.""",
    overrides=Overrides(RUN, ("[group=option]", "[key=value]")),
    flags=(MULTIRUN, *COMPOSING),
    option_groups=None,
    examples=(
        ("train experiment=hep_demo", ""),
        ("train dataset=hep_images dataset.train='data/*train*.h5' model=hep_cnn", ""),
        ("train -m experiment=hep_demo train.learning_rate=1e-3,3e-4", "a sweep"),
        ("train experiment=hep_demo --cfg job", "show the config"),
        ("train --config-dir ./mine experiment=my_study", "your own options"),
    ),
    bare=True,
)
RESUME = Command(
    name="resume",
    summary="go on with a run that was stopped",
    description="""\
Go on with an unfinished run from its last checkpoint, at the very sample where it stood, with
its own config. The communicator, the number of ranks, data.processes and data.threads may change.
Give data.stage and trackers again: they are not taken from the run's folder.
A checkpoint of other versions of Baryon or of a plugin is refused.""",
    arguments=(
        THE_RUN,
        Argument("versions", Choice("any"), "accept a checkpoint of other versions"),
    ),
    # Overrides that leave each step its samples.
    overrides=Overrides(
        FROZEN,
        ("[comm=<name>]", "[comm.key=value]", "[data.key=value]", "[tracking.key=value]"),
        only=(
            "comm=",
            "comm.",
            "data.processes=",
            "data.threads=",
            "data.stage=",
            "data.stage_mib=",
            "tracking.",
        ),
    ),
    examples=(
        ("resume run=runs/latest", ""),
        ("resume run=runs/latest comm=serial", ""),
        ("launch ranks=4 resume run=runs/latest comm=sync", ""),
    ),
)
EVALUATE = Command(
    name="evaluate",
    summary="evaluate a run, or all folds of a sweep, again",
    description="""\
Evaluate a run's weights again; the answer goes into <dir>/evaluations, the run's own stays.
Of a sweep with train.folds every sample is judged by the network that never saw it.""",
    arguments=(
        Argument("run", RUN_FOLDER, "the folder of the run"),
        Argument("sweep", SWEEP_FOLDER, "the folder of a sweep with train.folds"),
        Argument("split", Choice("test", "val", "train"), "default: the first there is of these"),
        WEIGHTS,
    ),
    either=("run", "sweep"),
    overrides=Overrides(FROZEN, ("[key=value]",)),
    examples=(
        ("evaluate run=runs/latest", ""),
        ("evaluate run=runs/latest split=val", ""),
        ("evaluate sweep=runs/my-folds", ""),
        ("evaluate run=runs/latest dataset.test='other/*.h5' evaluator.bootstrap=1000", ""),
    ),
)
PREDICT = Command(
    name="predict",
    summary="run a trained model on new data",
    description="""\
Run a model over new files, which need no labels, and write its predictions into a new folder.
`predict.` keys are those of the predictor of the run's evaluator, others the run's.""",
    arguments=(
        THE_RUN,
        Argument("input", Files("<files>"), "files or globs, commas between them", required=True),
        Argument("out", OUT_FOLDER, "the new folder (default: <dir>/predictions/<time>)"),
        WEIGHTS,
    ),
    overrides=Overrides(FROZEN, ("[predict.key=value]", "[key=value]")),
    option_groups=("predict",),
    examples=(
        ("predict run=runs/latest input='new/*.h5'", ""),
        ("predict run=runs/latest input=a.h5,b.h5 out=scores predict.formats=[csv]", ""),
        ("launch ranks=4 predict run=runs/latest input='new/*.h5' train.batch_size=256", ""),
    ),
)
EXPORT = Command(
    name="export",
    summary="write a trained model as safetensors, torch.export or ONNX",
    description="""\
Write a run's model as one file, which takes the values that the data's files hold: normalising them
is part of it. What it computes is compared with the run's model on samples of the run's data.

  safetensors  the weights, and how to build the model: for Baryon and for whoever reads weights
  torch        a program of torch.export (.pt2): for PyTorch without Baryon, from Python or C++
  onnx         for ONNX Runtime and others: pip install 'baryon[onnx]'""",
    arguments=(
        THE_RUN,
        Argument("format", Choice(*SUFFIXES), "see above", required=True),
        Argument("out", OUT_FILE, "the new file (default: <dir>/exports/<model>.<format>)"),
        WEIGHTS,
    ),
    overrides=Overrides(FROZEN, ("[key=value]",)),
    examples=(
        ("export run=runs/latest format=onnx", ""),
        ("export run=runs/latest format=torch weights=last out=cyclones.pt2", ""),
    ),
)
DATA_GENERATE = Command(
    name="data generate",
    summary="make data in a dataset's own format",
    description="""\
Make data in a dataset's own file format; going on where a stopped command left off. A mapping is
taken as it is given: generate.key={a:1} drops what else it holds by default.""",
    arguments=(
        Argument("dataset", Kind("<name>"), "a dataset that can be generated", required=True),
    ),
    overrides=Overrides(GENERATE, ("[generate.key=value]",)),
    flags=COMPOSING,
    option_groups=("generate",),
    examples=(
        ("data generate dataset=hep_images generate.out=data/hep generate.events=10000", ""),
        ("data generate dataset=hep_images --cfg job", "show all keys"),
    ),
)
DATA_CHECK = Command(
    name="data check",
    summary="say how fast a dataset is read, what is wrong with it, and if training would refuse",
    description="""\
Read the data as a training would, and say what is wrong with them and how fast it goes: layout of
the files, values, labels and weights, duplicates, checksums. The exit code is 1 if a training
would refuse the data.""",
    arguments=(
        Argument("out", OUT_FOLDER, "folder of the report (default: checks/<time>-<dataset>)"),
        Argument(
            "samples", WholeNumber("<N>", 1, LARGEST_STEP), "look at about N of each split, not all"
        ),
    ),
    overrides=Overrides(RUN, ("[dataset=<name>|experiment=<name>]", "[key=value]")),
    flags=COMPOSING,
    option_groups=("experiment", "dataset"),
    examples=(
        ("data check experiment=hep_demo", ""),
        (
            "data check dataset=hep_images dataset.train='data/*train*.h5' data.window_mib=64",
            "",
        ),
    ),
)
DATA_SHOW = Command(
    name="data show",
    summary="say which samples a step of a run took",
    description="""\
List the samples that step N of a run took, the first being step 1: by worker, with the file and
row of each and its label, weight and other single numbers. If the loss of that step was NaN or
infinite, the batch that was saved then.""",
    arguments=(
        THE_RUN,
        Argument(
            "step", WholeNumber("<N>", 1, LARGEST_STEP), "default: the last before its checkpoint"
        ),
    ),
    examples=(("data show run=runs/latest", ""), ("data show run=runs/latest step=17", "")),
)
DATA_REPACK = Command(
    name="data repack",
    summary="write HDF5 files anew in a layout that is read fast",
    description="""\
Write an HDF5 file anew: chunks of whole samples, of about a megabyte, compressed in the way that
suits the values. Groups, attributes and small members are kept. The copy is read back and compared
with the original before it takes its name.""",
    arguments=(
        Argument("file", OUT_FILE, "the HDF5 file", required=True, of_config=True),
        Argument("out", OUT_FILE, "the new file, or the same", required=True, of_config=True),
    ),
    overrides=Overrides(REPACK, ("[key=value]",)),
    flags=COMPOSING,
    examples=(
        ("data repack file=events.h5 out=events-fast.h5", ""),
        ("data repack file=events.h5 out=events.h5 shuffle=true", "samples in random order"),
        ("data repack file=events.h5 out=x.h5 --cfg job", "show all keys"),
    ),
)
DATA = Command(
    name="data",
    summary="generate, check, show or repack data",
    actions=(DATA_GENERATE, DATA_CHECK, DATA_SHOW, DATA_REPACK),
)
LAUNCH = Command(
    name="launch",
    summary="start a command as several processes on this machine",
    description="""\
Start a command as N processes on this machine, with the mpiexec that suits it. Ctrl-C stops a
training with a checkpoint. On a cluster use the site's own: `mpiexec -n 64 baryon train ...` or
`srun baryon train ...`.""",
    arguments=(
        Argument("ranks", WholeNumber("<N>", 1, 10**6), "the number of processes", required=True),
    ),
    starts=True,
    examples=(
        ("launch ranks=2 train experiment=hep_demo comm=sync", ""),
        ("launch ranks=6 train experiment=hep_demo comm=hybrid comm.groups=2 comm.servers=2", ""),
    ),
)
RUNS = Command(
    name="runs",
    summary="list runs with their answers",
    description="""\
List the runs in a folder, the newest first: state, choices, time, and what they are judged by, with
its error.""",
    arguments=(Argument("root", Folder("<dir>"), "the folder of the runs (default: runs)"),),
    bare=True,
    examples=(("runs", ""), ("runs root=runs/sweep-a08fc105", "the jobs of a sweep")),
)
REPORT = Command(
    name="report",
    summary="write a page of a run, of several runs, or of a sweep",
    description="""\
Write one HTML page that opens anywhere, offline: of a run, finished or not; of several runs side by
side; of a sweep.""",
    arguments=(
        Argument(
            "run", RUN_FOLDER, "the folder of a run, or of each of several; globs", repeated=True
        ),
        Argument("sweep", SWEEP_FOLDER, "the folder of a sweep"),
        Argument("scaling", RUN_FOLDER, "of each of several runs: how they scaled", repeated=True),
        Argument("machine", Described("<name|file>", "machine"), "of scaling=: its predictions"),
        Argument(
            "out",
            OUT_FILE,
            "the page (default: <dir>/report.html, comparison.html of several runs, scaling.html)",
        ),
    ),
    either=("run", "sweep", "scaling"),
    examples=(
        ("report run=runs/latest", ""),
        ("report run=runs/small run=runs/large out=small-and-large.html", ""),
        ("report 'run=runs/*'", "all that lie there"),
        ("report sweep=runs/my-sweep", ""),
        ("report scaling=runs/one scaling=runs/two scaling=runs/four machine=here.json", ""),
    ),
)
WATCH = Command(
    name="watch",
    summary="show the report of a run live in a browser",
    description="""\
Serve the report of a run or a sweep on http://127.0.0.1:<port>/ while it goes on; the page follows
by itself. Only this machine can open it, and nobody can change anything through it. It ends when
the run does, or by Ctrl-C. On a cluster: ssh -L 8265:127.0.0.1:8265 <node>.""",
    arguments=(
        Argument("run", RUN_FOLDER, "the folder of a run"),
        Argument("sweep", SWEEP_FOLDER, "the folder of a sweep"),
        Argument(
            "port", WholeNumber("<number>", 0, LARGEST_PORT), "default: 8265; 0 is any free one"
        ),
    ),
    either=("run", "sweep"),
    examples=(
        ("watch run=runs/latest", ""),
        ("watch sweep=runs/my-sweep port=0", ""),
    ),
)
REPRODUCE = Command(
    name="reproduce",
    summary="train a run again and compare",
    description="""\
Train a finished run again with its own config, seed, number of processes and threads, into
<dir>/reproductions, and compare weights, loss curve and metrics. The exit code is 0 if they are
bitwise equal, or equal within the tolerance; else 1, and the first difference is named.
Differences in versions, machine or data are listed.""",
    arguments=(
        THE_RUN,
        Argument("tolerance", Tolerance("<number>"), "relative tolerance (default: 1e-3)"),
        Argument(
            "folder", Folder("<dir>"), "where its relative paths begin, and its git repository is"
        ),
        Argument("into", OUT_FOLDER, hidden=True),
    ),
    examples=(
        ("reproduce run=runs/latest", ""),
        ("reproduce run=runs/latest folder=.", ""),
        ("reproduce run=runs/big tolerance=0.01", ""),
    ),
)
MACHINE = Argument(
    "machine", Described("<name|file>", "machine"), "a machine, or what was measured", required=True
)
SCALE_OUT = Argument("out", OUT_FOLDER, "the folder of the page (default: scaling/<time>-...)")
DRAWN_STEPS = Argument(
    "steps", WholeNumber("<N>", 1, 10**6), "steps that are drawn (default: 1000)"
)
SCALE_PREDICT = Command(
    name="scale predict",
    summary="predict throughput, losses and the best groups on a machine",
    description="""\
Predict how training scales on a machine, by a model of its nodes, network and failures. Nodes are
the workers; parameter servers come on top. a..b doubles from a to b; without groups and servers the
best ones are looked for.""",
    arguments=(
        MACHINE,
        Argument(
            "model", Described("<name|file>", "network"), "a network (default: the measured one)"
        ),
        Argument(
            "nodes", WholeNumbers("<N,...>", 1, 10**6), "number of nodes, such as 1..16384; or"
        ),
        Argument(
            "rate",
            WholeNumber("<N>", 1, 10**12),
            "samples/s, to find the fewest nodes that reach it",
        ),
        Argument("comm", Choices("sync", "hybrid"), "one of them (default: both)"),
        Argument(
            "groups",
            WholeNumbers("<N,...>", 1, 10**6),
            "groups of hybrid (default: the best number)",
        ),
        Argument(
            "servers",
            WholeNumbers("<N,...>", 1, 10**6),
            "parameter servers (default: the best number)",
        ),
        Argument(
            "batch",
            WholeNumber("<N>", 1, 10**6),
            "samples of each node, for weak scaling (default: 8)",
        ),
        Argument(
            "group_batch",
            WholeNumber("<N>", 1, 10**9),
            "instead: samples of each group, for strong scaling",
        ),
        Argument(
            "checkpoint_every",
            WholeNumber("<N>", 1, 10**9),
            "steps between checkpoints (default: none)",
        ),
        Argument(
            "hours",
            WholeNumber("<N>", 1, 10**5),
            "length of the job, for its failures (default: 24)",
        ),
        Argument(
            "window", WholeNumber("<N>", 1, 10**5), "steps of sustained FLOP/s (default: 100)"
        ),
        DRAWN_STEPS,
        Argument("seed", WholeNumber("<N>", 0, 2**32), "seed of the random draws (default: 1)"),
        SCALE_OUT,
    ),
    either=("nodes", "rate"),
    examples=(
        ("scale predict machine=cori_knl model=hep_cnn nodes=1..8192", "weak scaling"),
        ("scale predict machine=cori_knl model=hep_cnn nodes=64..1024 group_batch=2048", "strong"),
        ("scale predict machine=h100_ib model=hep_cnn rate=724000 batch=64", "how many nodes?"),
    ),
)
SCALE_CHECK = Command(
    name="scale check",
    summary="hold predictions for a machine against published results",
    description="""\
Predict what was published of a machine, as its file lists it, and say how far off each is.""",
    arguments=(MACHINE, DRAWN_STEPS, SCALE_OUT),
    examples=(("scale check machine=cori_knl", ""),),
)
SCALE_MEASURE = Command(
    name="scale measure",
    summary="measure this machine with a network, for predictions",
    description="""\
Time each layer, the optimizer, reading, a checkpoint and the jitter of steps, for a run's own
model, data and settings; with several ranks also messages over their MPI. The answer is a small
file that can be carried away and edited: machine=<file> predicts with it.""",
    arguments=(
        Argument("batches", WholeNumbers("<N,...>", 1, 10**6), "samples of a rank; else 1..8"),
        Argument("repeats", WholeNumber("<N>", 2, 10**4), "steps of each; else 10"),
        Argument("out", OUT_FILE, "the new file; else scaling/<time>-measurement.json"),
    ),
    overrides=Overrides(RUN, ("[experiment=<name>]", "[key=value]")),
    flags=COMPOSING,
    option_groups=(),
    examples=(
        ("scale measure experiment=hep_demo", ""),
        ("launch ranks=2 scale measure experiment=hep_demo comm=sync", ""),
    ),
)
SCALE = Command(
    name="scale",
    summary="measure a machine, predict how training scales on it",
    actions=(SCALE_MEASURE, SCALE_PREDICT, SCALE_CHECK),
)
PLUGINS_NEW = Command(
    name="plugins new",
    summary="write the package of a plugin of your own",
    description="""\
Write the package of a plugin of your own, which runs as it is: its parts are to be replaced.""",
    word=Argument("name", Kind("<name>"), "the plugin's name, as in my_field", required=True),
    arguments=(Argument("out", OUT_FOLDER, "the new folder (default: baryon-<name>)"),),
    examples=(
        ("plugins new my_field", ""),
        ("plugins new my_field out=~/work/my-field", ""),
    ),
)
PLUGINS = Command(
    name="plugins",
    summary="list the installed plugins and their health, or write a new one",
    description="""\
List the installed plugins, what they offer and their health; BARYON_DISABLE=a,b blocks some.""",
    actions=(PLUGINS_NEW,),
    bare=True,
    examples=(("plugins", ""), ("plugins new my_field", "")),
)
SHOW = Command(
    name="show",
    summary="list options and explain their settings",
    description="""\
List what can be chosen: all groups, the options of one, or one option with its keys, their
defaults and meaning, and what its author wrote about it.""",
    word=Argument("option", Kind("<group>[/<option>]")),
    bare=True,
    examples=(
        ("show", ""),
        ("show model", ""),
        ("show model/hep_cnn", ""),
        ("show config", "keys of the host that belong to no option"),
    ),
)
COMPLETION_WORDS = Command(
    name="completion words",
    summary="print the words that a command line may go on with",
    word=Argument("line", Kind("<line>"), "the command line as it stands", required=True),
    hidden=True,
)
COMPLETION = Command(
    name="completion",
    summary="print the script that completes words in bash or zsh",
    description="""\
Print a script that completes commands, groups, options and keys of all installed plugins. Add to
~/.bashrc, or to ~/.zshrc after compinit:

  source <(baryon completion bash)
  source <(baryon completion zsh)""",
    word=Argument("shell", Choice("bash", "zsh"), "the shell", required=True),
    actions=(COMPLETION_WORDS,),
)

COMMANDS = (
    TRAIN,
    RESUME,
    EVALUATE,
    PREDICT,
    EXPORT,
    DATA,
    LAUNCH,
    RUNS,
    REPORT,
    WATCH,
    REPRODUCE,
    SCALE,
    PLUGINS,
    SHOW,
    COMPLETION,
)
"""All commands, in the order of `baryon --help`."""
