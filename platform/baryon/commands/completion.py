"""`baryon completion bash|zsh`: the script by which a shell completes words of `baryon`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from baryon.commands.arguments import HELP_FLAGS
from baryon.errors import BaryonError, did_you_mean
from baryon.terminal.console import say

SHELLS = ("bash", "zsh")
WORDS = "words"

USAGE = """\
usage: baryon completion bash|zsh

Print a script that completes commands, groups, options and keys of all installed plugins. Add to
~/.bashrc, or to ~/.zshrc after compinit:

  source <(baryon completion bash)
  source <(baryon completion zsh)
"""


def run(arguments: Sequence[str]) -> int:
    """Print the script; or, for it, the words that fit at the end of a command line."""
    if not arguments or arguments[0] in HELP_FLAGS:
        say(USAGE)
        return 0 if arguments else 2
    what, *rest = arguments
    if what == WORDS and len(rest) == 1:
        from baryon.commands.completion_words.candidates import candidates

        for word in candidates(rest[0]):
            print(word)  # noqa: T201  rich costs a third of the time
        return 0
    if what not in SHELLS or rest:
        raise BaryonError(
            f"baryon completion knows no {' '.join(arguments)!r}; {did_you_mean(SHELLS, what)}"
        )
    script = files("baryon.commands.completion_words") / f"{what}.sh"
    print(script.read_text(encoding="utf-8"), end="")  # noqa: T201
    return 0
