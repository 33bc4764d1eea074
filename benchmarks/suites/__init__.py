"""One file per suite; its stem is the suite's name, with hyphens: see suite.py for what stands in it."""
