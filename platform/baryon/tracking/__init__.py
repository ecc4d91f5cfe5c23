"""Send what a run logs to trackers: TensorBoard, MLflow, W&B, Trackio."""
