"""What the hot paths cost, beside what they stand on: alternating, in one process, as ratios."""
