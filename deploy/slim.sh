#!/bin/sh
# Takes out of an environment what no step and no worker runs: a third of the image.
#
#   deploy/slim.sh ENVIRONMENT
set -eu
packages=$(echo "$1"/lib/python*/site-packages)
cd "$packages"

# TensorFlow's headers are for who compiles operations; libclang and Jupyter's programs come along with its, and TFX's,
# requirements. What TFX imports of Jupyter (IPython, ipykernel, ipywidgets) stays.
rm -rf tensorflow/include clang libclang-*.dist-info
for name in notebook notebook_shim jupyterlab jupyterlab_server jupyterlab_pygments jupyterlab_widgets jupyter_lsp \
    jupyter_server jupyter_server_terminals jupyter_builder nbclient nbconvert widgetsnbextension terminado babel jedi \
    debugpy tensorboard_data_server; do
    rm -rf "$name" "$name"-*.dist-info
done
rm -rf "$1"/share/jupyter
# Tests of the packages, and what they read.
find . -type d \( -name tests -o -path '*/onnx/backend/test/data' \) -prune -exec rm -rf {} +
rm -rf pyarrow/include pyarrow/src
# The tables of the libraries' inner names, which only a debugger reads. A library that packaging tools have changed may
# not bear it: these do.
for name in pyarrow apache_beam zstandard fastavro tensorflow/compiler/mlir; do
    # The two stacks do not have all the same packages.
    if [ -d "$name" ]; then find "$name" -name '*.so*' -exec strip --strip-unneeded {} +; fi
done
strip --strip-unneeded tensorflow/libtensorflow_cc.so.2 tensorflow/libtensorflow_framework.so.2
