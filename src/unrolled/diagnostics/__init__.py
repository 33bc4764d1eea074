"""Looking inside models: each diagnostic takes a model and gives figures."""
