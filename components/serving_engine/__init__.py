"""The engine that answers for a pushed model: its pixels and its network, without TensorFlow where that is proven."""
