"""What look-ups are for: which are wanted and allowed, what rules learn from them, and whom to write to."""
