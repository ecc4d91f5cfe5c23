"""What a run logs, told to the trackers people already have."""
