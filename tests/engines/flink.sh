#!/bin/sh
# Runs the Beam steps on a real Flink or Spark cluster in Docker, compares with this process, and kills a worker machine.
#
#   tests/engines/flink.sh flink|spark IMAGE
#
# IMAGE is the project's own image. Needs Docker, Java and Maven Central; .github/workflows/engines.yml has all three.
# The folder of the images and outputs is at one path here, in the cluster's containers and in the worker pools.
set -eu
engine=${1:?flink or spark}
image=${2:?the image of this project}
shared=${SHARED:-$(mktemp -d)}
chmod 777 "$shared"

beam=$(.venv/bin/python -c 'import importlib.metadata as m; print(m.version("apache-beam"))')
network=effnet-engines

clean_up() {
    docker ps --all --quiet --filter "network=$network" | xargs --no-run-if-empty docker rm --force >/dev/null
    docker network rm "$network" >/dev/null 2>&1 || true
}
trap clean_up EXIT
clean_up
docker network create "$network" >/dev/null

# A worker pool shares the network of the worker that hands it work: both know it as localhost:50000.
pool() {
    docker run --detach --network "container:$1" --name "$1-pool" --volume "$shared:$shared" \
        --entrypoint python "$image" -m apache_beam.runners.worker.worker_pool_main --service_port=50000 \
        --container_executable=/opt/apache/beam/boot >/dev/null
}

wait_for() {
    for _ in $(seq 60); do
        if curl --fail --silent --output /dev/null "$1"; then return; fi
        sleep 2
    done
    echo "error: nothing answers at $1" >&2
    exit 1
}

case $engine in
flink)
    jar="beam-runners-flink-1.20-job-server"
    properties="jobmanager.rpc.address: effnet-master
taskmanager.numberOfTaskSlots: 2"
    docker run --detach --network "$network" --name effnet-master --publish 8081:8081 --volume "$shared:$shared" \
        --env FLINK_PROPERTIES="$properties" flink:1.20 jobmanager >/dev/null
    for number in 1 2; do
        docker run --detach --network "$network" --name "effnet-worker$number" --volume "$shared:$shared" \
            --env FLINK_PROPERTIES="$properties" flink:1.20 taskmanager >/dev/null
        pool "effnet-worker$number"
    done
    wait_for http://localhost:8081/overview
    master=localhost:8081
    ;;
spark)
    jar="beam-runners-spark-3-job-server"
    docker run --detach --network "$network" --name effnet-master --publish 7077:7077 --publish 8080:8080 \
        --hostname effnet-master --volume "$shared:$shared" apache/spark:3.5.6 \
        /opt/spark/bin/spark-class org.apache.spark.deploy.master.Master --host effnet-master >/dev/null
    for number in 1 2; do
        docker run --detach --network "$network" --name "effnet-worker$number" --volume "$shared:$shared" \
            apache/spark:3.5.6 /opt/spark/bin/spark-class org.apache.spark.deploy.worker.Worker \
            spark://effnet-master:7077 >/dev/null
        pool "effnet-worker$number"
    done
    wait_for http://localhost:8080/
    master=spark://localhost:7077
    ;;
*)
    echo "error: got $engine, expected flink or spark" >&2
    exit 2
    ;;
esac

curl --fail --silent --show-error --location --output "$shared/$jar-$beam.jar" \
    "https://repo1.maven.org/maven2/org/apache/beam/$jar/$beam/$jar-$beam.jar"
# Kills a worker machine while a step runs: the engine has to do its part again elsewhere.
EFFNET_ENGINE="{$engine: {master: '$master', jar: '$shared/$jar-$beam.jar'}}" EFFNET_IMAGE="$image" \
    EFFNET_SHARED="$shared" EFFNET_KILL="docker rm --force effnet-worker2" \
    .venv/bin/python -m pytest -v tests/engines/test_cluster.py
