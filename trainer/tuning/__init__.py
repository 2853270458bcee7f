"""The search for hyperparameters: Keras Tuner's oracles over one traced network."""
