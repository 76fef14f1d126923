"""Face detection, face crops, and the quality of faces."""
