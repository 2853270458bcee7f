"""ServedModel: the model in production, as the baseline that a candidate has to beat."""
