"""The page that a run leaves: report.html, made of the run's own records and nothing else."""
