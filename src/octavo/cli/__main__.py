"""`python -m octavo.cli`."""

from octavo.cli.app import main

main()
