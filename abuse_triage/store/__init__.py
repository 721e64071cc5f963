"""What is kept, behind protocols that each engine implements."""
