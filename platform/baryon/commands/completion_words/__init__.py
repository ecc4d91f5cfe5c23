"""What completes words of the command line: `candidates.py` finds them, a script asks for them."""
