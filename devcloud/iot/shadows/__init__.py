"""Device shadows, classic and named: documents, and the service that keeps them."""
