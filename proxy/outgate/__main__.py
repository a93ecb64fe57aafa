"""`python -m outgate`."""

from outgate.cli.main import main

main()
