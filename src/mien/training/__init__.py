"""Training: recipes, networks, augmentation, the training loop, transfer, distillation and search (extra `train`)."""
