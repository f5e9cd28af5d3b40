"""What the platform claims to be fast, measured as ratios in one run: `make bench`."""
