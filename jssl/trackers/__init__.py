"""Trackers of experiments: TensorBoard, Weights & Biases, MLflow and Aim, and those of users."""
