"""What changed: from one version of a mapping to another, and in the warehouse since a version was kept."""
