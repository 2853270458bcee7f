"""The schedule as an Airflow DAG; the file to give to the tfx command line.

    tfx pipeline create --engine airflow --pipeline_path pipeline/airflow_runner.py

That copies this file into Airflow's folder of DAGs, with its settings beside it in `effnet.json`; `tfx pipeline update`
does so again after an edit of pipeline.yaml's `schedule`, and needs no Airflow. EFFNET_CONFIG and EFFNET_SET choose the
configuration, as in `local_runner`.

Airflow loads this file again and again, in an environment of its own, so it imports nothing of this project. Airflow is
the clock; one task for each run calls `effnet schedule tick` in the project's environment, with the same history,
retries, conditions and alerts as the other ways of scheduling. TFX's AirflowDagRunner does not work: it wants TFX and
Airflow in one environment, but Airflow 3 needs attrs 24.2 or newer and ml-metadata one below 24; it imports modules
that Airflow 3 no longer has (`airflow.operators.python_operator`); and importing TFX takes 10 s or more each time.
"""

import json
import shlex
from datetime import datetime
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronTriggerTimetable

SETTINGS = json.loads(Path(__file__).with_name("effnet.json").read_text(encoding="utf-8"))
NO_DATA = 4  # the exit status if the images are missing
# Airflow's own time of a run; a run that a person starts there is a trigger.
WHAT = "{{ 'trigger' if dag_run.run_type == 'manual' else 'tick --at ' ~ dag_run.run_after.isoformat() }}"
OPTIONS = shlex.join(SETTINGS["options"])

with DAG(
    dag_id=SETTINGS["name"],
    description=f"Trains, judges and pushes {SETTINGS['name']}",
    schedule=CronTriggerTimetable(SETTINGS["cron"], timezone=SETTINGS["timezone"]) if SETTINGS["cron"] else None,
    start_date=datetime.fromisoformat(SETTINGS["since"]),
    catchup=SETTINGS["catch_up"] == "all",
    max_active_runs=1,
    tags=["effnet"],
) as dag:
    BashOperator(
        task_id="retrain",
        # Airflow fills in WHAT, and leaves the user's options alone, even if there are braces in them.
        bash_command=f"{shlex.join(SETTINGS['effnet'])} schedule {WHAT} {{% raw %}}{OPTIONS}{{% endraw %}}",
        cwd=SETTINGS["folder"],
        skip_on_exit_code=NO_DATA,
        retries=0,  # `schedule.retries` are made within the task, and resume the training
    )
