"""Drawing and searching over any model that can take one step."""
