"""What lives reach, and what they cost."""
