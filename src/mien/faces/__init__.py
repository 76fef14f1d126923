"""Face detection, tiling, cropping and face quality."""
