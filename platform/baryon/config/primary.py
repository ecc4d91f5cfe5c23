"""The host's primary configs, and the groups of options that only one of them has."""

from __future__ import annotations

RUN, DATA_GENERATE, PREDICT, DATA_REPACK = "config", "data_generate", "predict", "data_repack"
"""Names of the files in `conf/`: of a run, and of commands with keys of their own."""
GENERATE_GROUP, PREDICT_GROUP = "generate", "predict"
PRIMARY = {GENERATE_GROUP: DATA_GENERATE, PREDICT_GROUP: PREDICT}
"""Groups of options that are no part of a run -> the primary config that has them."""
