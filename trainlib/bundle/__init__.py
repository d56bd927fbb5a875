"""Models for others: bundles of MONAI, TorchScript and ONNX, made of a run."""
