"""A model's own facts, carried inside its ONNX file."""
