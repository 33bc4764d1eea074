"""What the server answers, one file for each thing that it is about: docs/lab-api.md says it in words."""
