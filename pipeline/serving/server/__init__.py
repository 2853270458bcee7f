"""The server of `effnet serve`: TensorFlow Serving's REST and gRPC interfaces over the project's own engine."""
