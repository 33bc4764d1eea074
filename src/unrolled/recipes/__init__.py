"""One file, one trainable experiment; the file's stem is its name. `recipe.py` is the contract."""
