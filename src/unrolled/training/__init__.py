"""The loop and what it stands on: settings, schedule, optimisers, checkpoints, rollback, events, several processes."""
