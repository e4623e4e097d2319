"""Strategy `decoupled`, first stage: images → tensors for the inference functions."""
