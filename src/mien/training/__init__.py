"""Training: recipes, networks, augmentation, the training loop, checkpoints, transfer, distillation and search. Needs the extra `train`."""
