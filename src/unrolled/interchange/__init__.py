"""Weights and states to and from other libraries: torch.nn's recurrent modules, Keras's recurrent layers."""
