"""What the windows share: model cards, ports, samples, live cameras, live explanations."""
