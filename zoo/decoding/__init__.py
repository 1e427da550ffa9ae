"""From a model's distributions to text."""
