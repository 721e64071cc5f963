"""One module for each form of report, tried in order; the last takes whatever is left."""
