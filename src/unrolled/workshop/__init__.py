"""The actions a person takes, and the run folder in which everything that they leave behind stands."""
