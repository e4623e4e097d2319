"""Finding the best setting of a site by measuring few of them."""
