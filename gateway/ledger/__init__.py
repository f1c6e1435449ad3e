"""What every request cost and saved, on record: one schema, one writer thread, one report."""
