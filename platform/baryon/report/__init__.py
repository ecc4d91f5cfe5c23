"""What people see: progress, the metrics log, figures, the run report."""
