"""One file per model: what it computes, its loss, and how it takes one step."""
