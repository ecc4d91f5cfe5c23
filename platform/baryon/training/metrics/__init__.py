"""Operations, rates and times of a run, counted as in the paper (arXiv:1708.05256, section 5)."""
