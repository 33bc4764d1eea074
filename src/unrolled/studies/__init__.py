"""Questions that several runs answer: one file a study."""
