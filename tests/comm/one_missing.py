"""`baryon`, but rank 1 hangs, or dies, before it is connected to the others: the first argument."""

import os
import signal
import sys
import time

from baryon.cli import main
from baryon.launch.environment import cluster_environment

if cluster_environment().rank == 1:
    if sys.argv[1] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(300)
sys.exit(main(sys.argv[2:]))
