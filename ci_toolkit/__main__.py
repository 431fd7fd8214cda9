"""`python -m ci_toolkit`."""

import sys

from ci_toolkit.cli.main import run

sys.exit(run())
