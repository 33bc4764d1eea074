"""Whole sequences: one answer at several speeds. `choose.py` picks; every kernel agrees with the reference."""
