"""DataProfile: keeps with a pushed model what its images were like, so that later ones can be compared."""
