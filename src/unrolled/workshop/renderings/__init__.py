"""Figures made visible: each kind drawn once for the terminal (`terminal.py`) and once as SVG (`svg.py`)."""
