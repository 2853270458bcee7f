"""The schedule as an Airflow DAG; the file to name to the tfx command line.

    tfx pipeline create --engine airflow --pipeline_path pipeline/airflow_runner.py

That copies this file into Airflow's folder of DAGs, beside it `effnet.json` with what it has to know; `tfx pipeline
update` does so again after an edit of pipeline.yaml's `schedule`, and needs no Airflow. EFFNET_CONFIG and EFFNET_SET
choose the configuration, as in `local_runner`.

Airflow loads this file again and again, in an environment of its own: it imports nothing of this project. Airflow is
the clock, and one task a run calls `effnet schedule tick` in the project's environment, with the history, retries,
conditions and alerts that the other ways of scheduling have. TFX's AirflowDagRunner is no way there: it wants TFX and
Airflow in one environment, but Airflow 3 takes attrs from 24.2 on and ml-metadata one below 24; it imports modules that
Airflow 3 has no more (`airflow.operators.python_operator`); and to import TFX takes 10 s and more each time.
"""

import json
import shlex
from datetime import datetime
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronTriggerTimetable

SETTINGS = json.loads(Path(__file__).with_name("effnet.json").read_text(encoding="utf-8"))
NO_DATA = 4  # the exit status where the images are missing
# Airflow's own moment of a run; of one that a person starts there it is the command for that.
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
        # Airflow fills WHAT in, and leaves what a user has set alone, whatever braces are in it.
        bash_command=f"{shlex.join(SETTINGS['effnet'])} schedule {WHAT} {{% raw %}}{OPTIONS}{{% endraw %}}",
        cwd=SETTINGS["folder"],
        skip_on_exit_code=NO_DATA,
        retries=0,  # `schedule.retries` are made within the task, and go on where the training was
    )
