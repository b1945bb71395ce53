"""What learning in life achieves, and what it costs."""
