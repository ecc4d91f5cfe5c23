"""Share among benchmarks on several ranks how these are started, and what they compute."""
