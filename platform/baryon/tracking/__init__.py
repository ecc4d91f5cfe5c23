"""Send what a run logs to trackers: TensorBoard, MLflow."""
