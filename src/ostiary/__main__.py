"""`python -m ostiary` is `ostiary`."""

from ostiary.entrypoints.cli import main

main()
