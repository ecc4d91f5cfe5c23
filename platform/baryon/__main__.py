"""`python -m baryon` is `baryon`."""

import sys

from baryon.cli import main

sys.exit(main())
