"""Speed, judged by ratios measured in one run."""
