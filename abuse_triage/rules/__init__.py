"""Rules over facts: what operators write in YAML, and how it becomes a verdict with its trace."""
