"""The lab: the workshop's actions and runs in a browser. See docs/lab.md, and docs/lab-api.md for what it answers."""
