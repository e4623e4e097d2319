"""What AWS's core gives its Lambdas beside the published SDK, written from the protocol."""
