from keras_tuner.engine import base_tuner as base_tuner
from keras_tuner.engine import hyperparameters as hyperparameters
from keras_tuner.engine import objective as objective
from keras_tuner.engine import oracle as oracle
from keras_tuner.engine import trial as trial
