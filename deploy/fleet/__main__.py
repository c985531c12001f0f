"""Owns only the entry: `python -m deploy.fleet <verb>`."""

import sys

from deploy.fleet.cli import main

sys.exit(main(sys.argv[1:]))
