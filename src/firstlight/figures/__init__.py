"""Pictures of runs and networks: the only matplotlib."""
