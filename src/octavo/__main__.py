"""`python -m octavo`."""

from octavo.cli.app import main

main()
