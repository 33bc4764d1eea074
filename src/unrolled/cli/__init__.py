"""The command: it parses, calls an action, and shows what comes back. It touches no tensor."""
