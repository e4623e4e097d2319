"""The Core as a Greengrass V2 component, and how the other components speak to it."""
