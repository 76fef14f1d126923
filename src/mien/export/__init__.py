"""Export of trained networks to ONNX and other formats, quantization, and import of Keras files."""
