"""What benchmarks on several ranks share: starting them, and what they compute."""
