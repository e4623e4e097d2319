"""Target v2: three Greengrass V2 components and one deployment; recipes for both nuclei. Pure."""
