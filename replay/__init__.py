"""An archive of images through a model: shards, each written once, in order, compared with live."""
