"""Recurrent networks with scikit-learn's fit, predict and score."""
