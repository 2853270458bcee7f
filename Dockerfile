# The image of every step on Kubeflow Pipelines and Vertex AI, and of Beam's workers on other machines.
#
#   docker build -t REGISTRY/tfx-efficientnet:1 .
#   docker build -t REGISTRY/tfx-efficientnet:1-gpu --build-arg LOCK=requirements-gpu.lock .
#
# Both install exactly what the lock pins. The GPU variant brings CUDA from PyPI, and needs only the node's driver.
# Photos of iPhones (HEIC) need --build-arg HEIC=1.
# --target serve builds the image of `effnet serve` instead: no training packages, a fifth of the size.
# For the newer stack: --build-arg PYTHON=3.12 --build-arg DEBIAN=trixie --build-arg BEAM=2.77.0
ARG PYTHON=3.11
ARG DEBIAN=bookworm
ARG BEAM=2.72.0

FROM python:${PYTHON}-slim-${DEBIAN} AS build
ARG LOCK=requirements.lock
ARG HEIC
ENV VIRTUAL_ENV=/opt/effnet UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
WORKDIR /build
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml requirements-dev.lock ${LOCK} ./
# Of the developers' lock only the pins of uv, of the build backend and of the HEIC decoder are used.
RUN sed -n '/^uv==/,/[^\\]$/p' requirements-dev.lock >uv.txt && pip install --no-cache-dir --require-hashes -r uv.txt \
    && sed -n '/^pillow-heif==/,/[^\\]$/p' requirements-dev.lock >heic.txt \
    && uv venv --python "$(command -v python)" ${VIRTUAL_ENV}
# Compiled after what is not needed is gone. Modules of aiplatform's two versions, 80 MB, are compiled by who uses them.
COPY deploy/slim.sh ./
RUN UV_COMPILE_BYTECODE=0 uv pip sync --no-cache --require-hashes ${LOCK} ${HEIC:+heic.txt} \
    && ./slim.sh ${VIRTUAL_ENV} \
    && ${VIRTUAL_ENV}/bin/python -m compileall -q -j 0 -x 'aiplatform_v1' ${VIRTUAL_ENV}/lib
COPY README.md LICENSE pipeline.yaml ./
COPY pipeline ./pipeline
COPY components ./components
COPY trainer ./trainer
COPY data ./data
RUN uv pip install --no-cache --no-deps --build-constraints requirements-dev.lock .

# Of TensorFlow only the messages that its Serving speaks; of the lock only what deploy/serving-packages.txt names.
FROM build AS serve-build
ARG LOCK=requirements.lock
COPY deploy/serving-packages.txt ./
RUN while read -r name; do sed -n "/^$name==/,/[^\\\\]$/p" ${LOCK}; done <serving-packages.txt >serving.txt \
    && uv venv --python "$(command -v python)" /opt/serve \
    && VIRTUAL_ENV=/opt/serve uv pip install --no-cache --no-deps --require-hashes -r serving.txt \
    && VIRTUAL_ENV=/opt/serve uv pip install --no-cache --no-deps --build-constraints requirements-dev.lock . \
    && cd /opt/effnet/lib/python*/site-packages \
    && find tensorflow -name '*_pb2.py' -exec cp --parents {} "$(echo /opt/serve/lib/python*/site-packages)" \;

FROM python:${PYTHON}-slim-${DEBIAN} AS serve
COPY --from=serve-build /opt/serve /opt/serve
RUN useradd --uid 1000 --create-home effnet
ENV PATH=/opt/serve/bin:${PATH} PYTHONUNBUFFERED=1
USER 1000
WORKDIR /home/effnet
EXPOSE 8500 8501
ENTRYPOINT ["effnet"]
CMD ["serve", "--host", "0.0.0.0", "--model", "model=/models"]

FROM apache/beam_python${PYTHON}_sdk:${BEAM} AS beam

FROM python:${PYTHON}-slim-${DEBIAN}
COPY --from=build /opt/effnet /opt/effnet
COPY --from=beam /opt/apache/beam /opt/apache/beam
# KFP's launcher runs as the container's user, and copies artifacts through these folders.
RUN useradd --uid 1000 --create-home effnet \
    && mkdir -p /minio /s3 /gcs \
    && chown 1000:1000 /minio /s3 /gcs
# A worker of Beam's runs in the environment as it is: by default boot makes a new one, where this user may not write.
ENV PATH=/opt/effnet/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
USER 1000
WORKDIR /home/effnet
# Kubeflow and Vertex AI name their own command; a Beam worker starts with this one.
ENTRYPOINT ["/opt/apache/beam/boot"]
