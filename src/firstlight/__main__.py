"""`python -m firstlight` is `firstlight`."""

from firstlight.cli import main

main()
