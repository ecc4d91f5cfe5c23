"""From a batch to its gradient: micro-batches, the check of the loss, a batch to replay."""
