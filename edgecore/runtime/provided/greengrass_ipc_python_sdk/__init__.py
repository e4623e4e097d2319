"""The client that the published SDK imports, over connections that stay open."""
