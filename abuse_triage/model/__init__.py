"""The frozen values that the steps of the pipeline hand to each other."""
