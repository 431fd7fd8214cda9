"""ci-toolkit keeps package repositories up to date; the command line is its public face (`ci-toolkit --help`)."""

__version__ = "0.1.0"
