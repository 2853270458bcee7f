"""Files that a kill leaves whole: either as they were, or as they were to be."""

import tensorflow as tf


def write_atomically(path: str, text: str) -> None:
    """Replaces a file, local or of an object store; its folder is made where there is none."""
    tf.io.gfile.makedirs(path.rpartition("/")[0])
    with tf.io.gfile.GFile(f"{path}.new", "w") as file:
        file.write(text)
    tf.io.gfile.rename(f"{path}.new", path, overwrite=True)
