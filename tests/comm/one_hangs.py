"""`baryon`, but rank 1 hangs before it is connected to the others."""

import sys
import time

from baryon.cli import main
from baryon.launched import launched

if launched().rank == 1:
    time.sleep(300)
sys.exit(main())
