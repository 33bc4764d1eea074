"""Readers, vocabularies, batching and windows: from files to `Batch`. Never imports a model."""
