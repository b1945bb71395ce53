"""Published numbers, measured again."""
